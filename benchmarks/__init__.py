"""What the queue costs and how fast it is, measured in one run: `python -m benchmarks`."""

import sys
from importlib.util import find_spec

# As long as `python -m` imports the package. The programs of peers import it too, and need no more.
if sys.argv[0] == "-m" and find_spec("rich") is None:
    sys.exit(
        f"benchmarks: what they need is not installed for {sys.executable}; run `make setup`, "
        "then .venv/bin/python in its place"
    )
