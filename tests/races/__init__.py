"""Pairs of statements that meet at one job, with every order of their commits forced."""

import pytest

# What they assert is to be as telling as in a test.
pytest.register_assert_rewrite("tests.races.cases", "tests.races.ring", "tests.races.scene")
