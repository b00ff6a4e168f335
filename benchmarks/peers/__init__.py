"""The same work by this queue and by others, in turns: `python -m benchmarks.peers`."""
