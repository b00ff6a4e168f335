"""The queue beside a model of it: whatever is done to both, they say the same."""

import pytest

# What they assert is to be as telling as in a test.
pytest.register_assert_rewrite(
    "tests.model.machine",
    "tests.model.rules_enqueue",
    "tests.model.rules_hand",
    "tests.model.rules_leader",
    "tests.model.rules_worker",
)
