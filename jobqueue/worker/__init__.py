"""The worker process: claims jobs, runs them in pools, acknowledges what became of them."""
