"""The plan is decided by its seed."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from tests.chaos.plan import BETWEEN_FAILOVERS_SECONDS, Kind, make_plan, short_plan
from tests.chaos.processes import ROOT


def test_the_same_seed_gives_the_same_plan() -> None:
    assert make_plan(7, 3) == make_plan(7, 3)
    assert make_plan(7, 3) != make_plan(8, 3)


def test_a_longer_plan_begins_like_a_shorter_one() -> None:
    short, long = make_plan(7, 1), make_plan(7, 5)
    assert long[: len(short)] == short


@pytest.mark.parametrize("seed", range(20))
def test_two_minutes_hold_every_kind_of_fault(seed: int) -> None:
    assert {fault.kind for fault in make_plan(seed, 2)} == set(Kind)


@pytest.mark.parametrize("seed", range(20))
def test_faults_come_in_order_and_failovers_far_apart(seed: int) -> None:
    plan = make_plan(seed, 10)
    assert [fault.at for fault in plan] == sorted(fault.at for fault in plan)
    assert plan[-1].at <= 600
    failovers = [fault.at for fault in plan if fault.kind is Kind.FAIL_OVER]
    # Times are rounded to a tenth.
    least = BETWEEN_FAILOVERS_SECONDS - 0.2
    assert all(after - before > least for before, after in itertools.pairwise(failovers))


def test_the_short_plan_is_short() -> None:
    assert short_plan()[-1].at < 15


def test_the_plan_is_printed_without_doing_anything() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--plan-only", "--seed", "7", "--minutes", "1"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert printed.splitlines() == ["seed 7; the plan:", *map(str, make_plan(7, 1))]
