"""Every kind of ugly task beside a thousand well-behaved jobs, in one worker process."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from examples.ugly_tasks import demo


def test_each_ugly_task_has_its_own_verdict_and_its_neighbours_are_done_once_each(
    database_url: str, tmp_path: Path
) -> None:
    result = demo.play(database_url, tmp_path)
    log = result.log.read_text()
    assert [one for one in result.verdicts if not one.right] == []
    assert result.runs == Counter(map(str, range(demo.WELL_BEHAVED)))
    assert result.states == {"completed": demo.WELL_BEHAVED}
    # It was blocked for longer than its lease, and told to stop after a job had changed that.
    assert "lease expired" not in log
    assert "blocked for more than 0.5 s by job blocks_the_loop" in log
    assert "replaced the worker's handler of SIGTERM; it is put back" in log
    assert "a job has closed descriptor 1" in log
    assert result.exit_code == 0
