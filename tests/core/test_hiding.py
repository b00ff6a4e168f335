"""Values of secret arguments are taken out of text, whatever the stored arguments are."""

from __future__ import annotations

import pytest

from jobqueue.core.hiding import hide, secret_texts


def test_a_secret_and_the_ways_to_write_it_are_hidden():
    secrets = secret_texts('{"pin": "hunter\\"2", "user": "anna"}', ["pin"])
    assert "hunter" not in hide(r'pin hunter"2, or hunter\"2, of anna', secrets)
    assert "anna" in hide("anna", secrets)


@pytest.mark.parametrize("args", ["[]", "1", "null", "nonsense", "[" * 100_000], ids=len)
def test_what_are_no_arguments_hold_no_secret(args):
    assert secret_texts(args, ["pin"]) == ()


def test_a_secret_too_deep_to_be_looked_at_raises_nothing():
    assert secret_texts('{"pin": ' + "[" * 900 + "]" * 900 + "}", ["pin"]) == ()
