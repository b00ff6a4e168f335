"""The pool of processes is not offered by the worker yet; its tests run when they are asked for."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("JOBQUEUE_TEST_PROCESSES") else ["test_*.py"]
