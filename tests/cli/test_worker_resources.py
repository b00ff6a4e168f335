"""`jobqueue worker` of an application whose resources cannot be opened."""

from __future__ import annotations

import pytest

from tests.cli.shell import Shell

APPLICATION = """
from jobqueue import JobQueue

jobs = JobQueue()


@jobs.task
def greet() -> None: ...


@jobs.lifespan
def mail_server():
    raise ConnectionError("nobody answers")
    yield
"""


@pytest.mark.parametrize("options", [(), ("--processes", "2")])
def test_it_does_not_start_and_says_why_with_an_exit_code_of_its_own(
    shell: Shell, options: tuple[str, ...]
) -> None:
    (shell.folder / "sick.py").write_text(APPLICATION)
    done = shell.run("worker", "sick:jobs", *options)
    assert done.returncode == 7, done.stderr
    assert "error: lifespan 'mail_server': raised ConnectionError: nobody answers" in done.stderr
    assert 'raise ConnectionError("nobody answers")' in done.stderr  # its own traceback
    assert "JobQueueError" not in done.stderr
