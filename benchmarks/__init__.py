"""What the queue costs and how fast it is, measured in one run: `python -m benchmarks`."""

import sys
from importlib.util import find_spec

if find_spec("rich") is None:
    sys.exit(
        f"benchmarks: what they need is not installed for {sys.executable}; run `make setup`, "
        "then .venv/bin/python in its place"
    )
