"""What a supervisor goes by: pauses between starts, amounts of memory, and the extra it needs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from jobqueue.core.errors import ConfigurationError
from jobqueue.worker.supervisor import memory, reload, tie
from jobqueue.worker.supervisor.backoff import Backoff


def test_pauses_grow_up_to_half_a_minute_and_start_over_after_a_long_life() -> None:
    backoff = Backoff()
    assert [backoff.pause_after(5) for _ in range(9)] == [0, 1, 2, 4, 8, 16, 30, 30, 30]
    assert [backoff.pause_after(lived) for lived in (60, 5, 5, 3600)] == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500MB", 500_000_000),
        ("500m", 500_000_000),
        ("1.5 GB", 1_500_000_000),
        ("512MiB", 512 * 1024**2),
        ("1Gi", 1024**3),
        ("100000000", 100_000_000),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert memory.parse_size(text) == size


@pytest.mark.parametrize("text", ["lots", "", "-1GB", "500iB", "1e9", "5 parsecs", "MB", "1GBB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not a size; write 500MB"):
        memory.parse_size(text)


@pytest.mark.parametrize("text", ["500", "99MB", "0"])
def test_a_limit_that_no_worker_can_keep_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="too little for a worker; give 100 MB or more"):
        memory.parse_size(text)


def test_sizes_are_shown() -> None:
    shown = [memory.show_size(size) for size in (17, 2_500, 99_950_000, 1_234_567_890)]
    assert shown == ["17 bytes", "2.5 KB", "99.95 MB", "1.235 GB"]


def test_the_memory_of_a_process_is_known() -> None:
    assert 10_000_000 < memory.memory_of(os.getpid()) < 10_000_000_000
    assert memory.memory_of(2**22 + 1) == 0


def test_a_system_that_does_not_tell_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    memory.check_measurable()
    monkeypatch.setattr(memory, "PROCESSES", tmp_path)
    with pytest.raises(ConfigurationError, match="--max-memory: this system"):
        memory.check_measurable()


def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'jobqueue\[reload\]'"):
        reload.check_installed()


def test_a_worker_knows_its_supervisor_and_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tie.from_environment() is None
    ours, theirs = socket.socketpair()
    monkeypatch.setenv(tie.VARIABLE, f"3:{theirs.detach()}")
    supervised = tie.from_environment()
    assert supervised is not None
    with ours, supervised.end:
        assert (supervised.number, supervised.end.get_inheritable()) == (3, False)
        ours.send(b"a word")
        assert supervised.end.recv(100) == b"a word"
    assert tie.from_environment() is None
