"""Of the pool of processes a quick part is always tested here; the rest when it is asked for.

Tests of workers (tests/worker/test_process_pool.py, tests/system/test_ugly_tasks.py) go through it
as well. JOBQUEUE_TEST_PROCESSES=1 runs all of these, which takes some minutes: most start a child.
"""

from __future__ import annotations

import os
from pathlib import Path

QUICK = {"test_endings.py"}

collect_ignore = (
    []
    if os.environ.get("JOBQUEUE_TEST_PROCESSES")
    else [one.name for one in Path(__file__).parent.glob("test_*.py") if one.name not in QUICK]
)
