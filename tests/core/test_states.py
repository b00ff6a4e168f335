"""The states of a job and the moves between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import State
from jobqueue.core.states import ENDED, TRANSITIONS, Event, after

states = st.sampled_from(State)
events = st.sampled_from(Event)


@pytest.mark.parametrize(
    ("life", "end"),
    [
        ([Event.CLAIM, Event.COMPLETE], State.COMPLETED),
        ([Event.CLAIM, Event.RESCHEDULE, Event.PROMOTE, Event.CLAIM, Event.BURY], State.DEAD),
        ([Event.CLAIM, Event.RESCHEDULE, Event.RUN_NOW], State.AVAILABLE),
        ([Event.CLAIM, Event.RESCHEDULE, Event.CANCEL], State.CANCELLED),
        ([Event.CLAIM, Event.HAND_BACK, Event.CLAIM], State.RUNNING),
        ([Event.CLAIM, Event.RESCUE], State.AVAILABLE),
        ([Event.CLAIM, Event.CANCEL], State.CANCELLED),
        ([Event.CANCEL], State.CANCELLED),
        ([Event.CLAIM, Event.BURY, Event.REDRIVE, Event.CLAIM, Event.COMPLETE], State.COMPLETED),
        ([Event.CLAIM, Event.CLAIM], State.RUNNING),
        ([Event.COMPLETE], State.AVAILABLE),
    ],
    ids=lambda value: str(value) if isinstance(value, State) else "-".join(value),
)
def test_a_job_lives_as_it_should(life, end):
    state = State.AVAILABLE
    for event in life:
        state = after(state, event)
    assert state is end


def test_the_ended_states_are_completed_cancelled_and_dead():
    assert {state for state in State if state.ended} == ENDED
    assert {State.COMPLETED, State.CANCELLED, State.DEAD} == ENDED


@given(st.sampled_from(sorted(ENDED)), st.lists(events))
def test_an_ended_job_never_moves_again_but_for_a_dead_one_that_is_redriven(state, life):
    for event in life:
        if (state, event) == (State.DEAD, Event.REDRIVE):
            return
        assert after(state, event) is state


@given(states, events)
def test_a_move_that_is_not_allowed_changes_nothing(state, event):
    assert after(state, event) is TRANSITIONS.get((state, event), state)


@given(states, events)
def test_only_a_claim_makes_a_job_run(state, event):
    if after(state, event) is State.RUNNING and state is not State.RUNNING:
        assert (state, event) == (State.AVAILABLE, Event.CLAIM)


@given(st.lists(events, max_size=30))
def test_a_job_in_any_live_state_can_still_end(life):
    state = State.AVAILABLE
    for event in life:
        state = after(state, event)
    assert state.ended or after(state, Event.CANCEL) is State.CANCELLED
