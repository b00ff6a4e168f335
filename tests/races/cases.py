"""One meeting of two moves: what each is told and where the job ends, by who commits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.races.moves import Move, settle
from tests.races.ring import Fate, Meeting, Ring, meet
from tests.races.scene import MakeScene, Scene, described, standing

IN_TWO_PLACES = "SELECT id FROM jobqueue.all_jobs GROUP BY id HAVING count(*) > 1"

NOTHING = frozenset({
    "nothing", "nobody", "not there", "0 promoted", "0 settled", "0 forgotten", "later",
    "put off",
})  # fmt: skip
"""What somebody is told who changed nothing and may come again."""


@dataclass(frozen=True)
class Case:
    """The first move is made in a transaction, and while that is open the second begins.

    told: what the first and the second are told if the first commits; words with ` or ` between
        them are alternatives.
    end: where the job then stands, as `running 1`.
    undone: what the second is told, and where the job stands, if the first rolls back.
    settled: the leader may have to decide about the job: one whose key was held may be cancelled
        as a duplicate though its enqueue was told `inserted`; one that was asked to stop just when
        it did so is cancelled a moment later.
    """

    scene: MakeScene
    first: Move
    second: Move
    fate: Fate
    told: tuple[str, str]
    end: str
    undone: tuple[str, str]
    settled: bool = False

    @property
    def name(self) -> str:
        return "-".join(one.__name__ for one in (self.scene, self.first, self.second))


def every_end(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Parametrize a test by `case` and `commit`: each case, committed and rolled back."""
    some = list(cases)
    found: list[Any] = [
        pytest.param(case, commit, id=f"{case.name}-{'commit' if commit else 'rollback'}")
        for case in some
        for commit in (True, False)
    ]
    return pytest.mark.parametrize(("case", "commit"), found)


def check(ring: Ring, case: Case, *, commit: bool) -> None:
    """Let the two meet, and look at what they were told and at what is left."""
    scene = case.scene(ring.looker)
    first, second = partial(case.first, ring.left, scene), partial(case.second, ring.right, scene)
    told = meet(ring, first, second, case.fate, commit=commit)
    settle(ring.looker, scene)
    assert ring.looker.execute(IN_TWO_PLACES).fetchall() == []
    second_told, end = (case.told[1], case.end) if commit else case.undone
    assert told.first in case.told[0].split(" or ")
    assert told.second in second_told.split(" or ")
    assert standing(ring.looker, scene) == end
    left = _left(ring, scene, case)
    assert any(
        _explains(ring, case, order, told, left) for order in _orders(told, commit=commit)
    ), f"no order of the two gives {told} and {left}"


def _orders(told: Meeting, *, commit: bool) -> list[str]:
    """Give the orders, in the letters f and s, that would explain what was seen.

    Who was told that there is nothing for it has done nothing: it need not be in the order.
    """
    orders = ["fs", "sf"] if commit else ["s"]
    if told.second in NOTHING:
        orders.append("f" if commit else "")
    return orders


def _explains(ring: Ring, case: Case, order: str, told: Meeting, left: tuple[str, ...]) -> bool:
    """Make the moves one after the other on a scene of their own, and compare."""
    ring.clear()
    scene = case.scene(ring.looker)
    moves = {"f": case.first, "s": case.second}
    seen = dict(zip("fs", told, strict=True))
    alone = seen | {who: moves[who](ring.looker, scene) for who in order}
    settle(ring.looker, scene)
    return (case.settled or alone == seen) and _left(ring, scene, case) == left


def _left(ring: Ring, scene: Scene, case: Case) -> tuple[str, ...]:
    """Say what is left; without duplicates that the leader cancelled, where there may be some."""
    lines = described(ring.looker, scene)
    return tuple(one for one in lines if not (case.settled and "errors Duplicate" in one))
