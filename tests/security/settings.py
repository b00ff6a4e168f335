"""How hard the security tests look, and which defects they know of."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("JOBQUEUE_TEST_EXAMPLES", "0"))
"""Examples of each property; 0: the few that every run can afford, the same each time."""

OPEN: dict[str, str] = {}
"""Defects that are known and not mended, by name. What closes one takes its line away."""


def known(defect: str, *, here: bool = True) -> pytest.MarkDecorator:
    """Mark a case that fails for as long as `defect` is open, and must not from then on.

    here: whether it is there on this version of PostgreSQL.
    """
    return pytest.mark.xfail(here and defect in OPEN, reason=OPEN.get(defect, ""), strict=True)


def looking(few: int) -> settings:
    """Give the settings of a property that is tried `few` times when nobody asked for more."""
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        # The database of the test is set up once; each example leaves it as it was.
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            HealthCheck.function_scoped_fixture,
            HealthCheck.data_too_large,
        ],
    )
