"""What the queue costs and how fast it is, measured in one run: `python -m benchmarks`."""
