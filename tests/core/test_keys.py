"""What may be a key, and what may be said of one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import ConfigurationError, JobQueue, Unique
from jobqueue.core.keys import make_key
from jobqueue.core.options import EnqueueOptions, UsingOptions

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(TEXT)
def test_any_text_that_postgresql_can_keep_is_a_key(text):
    assert make_key(text, {}, subject="key") == text
    assert make_key(lambda n: n, {"n": text}, subject="key") == text


@pytest.mark.parametrize("bad", ["\x00", "a\x00", "\ud800"])
def test_other_text_is_none(bad):
    with pytest.raises(ConfigurationError, match=r"the key .*: holds NUL or a lone surrogate"):
        make_key(bad, {}, subject="the key")


def test_durations_are_seconds_or_timedeltas():
    assert Unique.debounce("k", delay=timedelta(minutes=1), longest=90) == Unique.debounce(
        "k", delay=60, longest=timedelta(seconds=90)
    )
    assert Unique.throttle("k", window=timedelta(hours=1)).window_seconds == 3600


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf")])
def test_a_while_that_is_none_is_refused(bad):
    for make in (
        lambda: Unique.throttle("k", window=bad),
        lambda: Unique.debounce("k", delay=bad, longest=60),
        lambda: Unique.debounce("k", delay=1, longest=bad),
        lambda: EnqueueOptions().using(UsingOptions(idempotency_retention=bad)),
    ):
        with pytest.raises(ConfigurationError):
            make()


@pytest.mark.parametrize(
    "options",
    [{"idempotency_key": 5}, {"idempotency_key": None}, {"unique": "k"}, {"unique": Unique}],
)
def test_what_is_no_key_at_all_is_refused_at_once(options):
    task = JobQueue().task(lambda n: None, name="work")
    with pytest.raises(ConfigurationError, match="wrong type"):
        task.using(**options)


def test_one_task_may_have_both_keys_and_other_options():
    options = EnqueueOptions().using(
        UsingOptions(idempotency_key="a", unique=Unique.skip("b"), priority=1)
    )
    assert options.keyed
    assert not EnqueueOptions().using(UsingOptions(priority=1)).keyed
