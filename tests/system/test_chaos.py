"""The short form of the chaos suite: a few faults of each kind, and every sum must come out.

`make chaos MINUTES=2` is the long one.
"""

from __future__ import annotations

import subprocess
import sys

from tests.chaos.processes import ROOT
from tests.conftest import POSTGRES

SEED = 1
MOST_SECONDS = 240


def test_nothing_is_lost_or_done_twice_whatever_fails() -> None:
    fought = subprocess.run(
        [
            *(sys.executable, "-m", "tests.chaos", "--short"),
            *("--seed", str(SEED), "--postgres", str(POSTGRES)),
        ],
        check=False,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=MOST_SECONDS,
    )
    assert fought.returncode == 0, fought.stdout
    assert fought.stdout.splitlines()[-1].endswith("every rule held")
