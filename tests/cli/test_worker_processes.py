"""What `jobqueue worker` says of options for several processes that cannot be used."""

from __future__ import annotations

import pytest

from jobqueue.worker.supervisor import memory, reload
from tests.cli.shell import Shell, one_line

NOBODY_THERE = "postgresql://127.0.0.1:1/shop"


def test_options_that_make_no_sense_are_wrong_usage(bare_shell: Shell) -> None:
    cases = {
        ("--processes", "0"): "--processes",
        ("--processes", "some"): "--processes",
        ("--max-memory", "lots"): "--max-memory 'lots': not a size; write 500MB",
        ("--max-memory", "500"): "--max-memory '500': too little",
        ("--processes", "2", "--log-level", "loud"): "not a level",
    }
    for options, said in cases.items():
        done = bare_shell.quick("worker", "shop:jobs", *options, url=NOBODY_THERE)
        assert done.returncode == 2, options
        assert said in done.stderr


def test_what_is_missing_for_an_option_is_said(
    bare_shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "find_spec", lambda _name: None)
    done = bare_shell.quick("worker", "shop:jobs", "--reload", url=NOBODY_THERE)
    assert done.returncode == 2
    assert "run: pip install 'jobqueue[reload]'" in one_line(done)
    monkeypatch.setattr(memory, "PROCESSES", bare_shell.folder)
    done = bare_shell.quick("worker", "shop:jobs", "--max-memory", "1GB", url=NOBODY_THERE)
    assert done.returncode == 2
    assert "no /proc to read it from" in one_line(done)
