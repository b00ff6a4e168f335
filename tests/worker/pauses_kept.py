"""A checker of recordings against pauses. It knows when jobs began and what was paused, no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Began:
    """The start of an attempt, in seconds of one clock: of which queue, task and key."""

    job: int
    queue: str
    task: str
    key: str
    at: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Of what (`queue`, `task` or `key`), and between which moments it was committed."""

    kind: str
    name: str
    paused_at: float
    resumed_at: float


def check_pauses(began: Iterable[Began], pauses: Sequence[Pause], *, within: float = 1.0) -> None:
    """Fail if anything began that was paused, from `within` seconds after the pause on."""
    for one in began:
        for pause in pauses:
            if getattr(one, pause.kind) != pause.name:
                continue
            late = one.at - pause.paused_at
            assert not (late > within and one.at < pause.resumed_at), (
                f"{pause.kind} {pause.name!r}: job {one.job} began {late:.3f} s after its pause"
            )


def check_resumed(began: Sequence[Began], pauses: Sequence[Pause], *, within: float) -> None:
    """Fail unless, of each thing that was resumed, something began within so many seconds."""
    for pause in pauses:
        assert any(
            getattr(one, pause.kind) == pause.name
            and pause.resumed_at <= one.at <= pause.resumed_at + within
            for one in began
        ), f"{pause.kind} {pause.name!r}: nothing began within {within:g} s of its end"
