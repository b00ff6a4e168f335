"""The checker: every rule, on all there is to know."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos import rules_of_books as books
from tests.chaos import rules_of_limits as limits
from tests.chaos import rules_of_workers as workers
from tests.chaos.evidence import Evidence, Violations

Rule = Callable[[Evidence], Violations]

RULES: tuple[Rule, ...] = (
    books.acknowledged_orders_are_there,
    books.a_job_is_in_one_table_once,
    books.every_job_has_ended,
    books.jobs_are_of_committed_orders,
    books.effects_were_made_once,
    books.completed_jobs_ran_to_their_end,
    books.attempts_stay_within_their_limit,
    books.attempts_add_up,
    books.only_the_doomed_are_dead,
    books.delayed_jobs_were_not_early,
    books.each_tick_has_one_job,
    books.unique_jobs_saw_who_met_them,
    books.one_job_waits_under_a_key,
    books.nothing_is_stuck,
    limits.no_window_holds_more_starts_than_its_rate,
    limits.no_key_runs_more_than_its_limit,
    limits.an_ordered_key_keeps_its_order,
    workers.a_lease_runs_a_job_once,
    workers.one_worker_at_a_time,
    workers.no_lease_is_lost_without_a_cause,
    workers.jobs_are_interrupted_only_by_stops,
    workers.processes_end_only_when_told,
    workers.the_books_know_the_living,
)


def check(evidence: Evidence) -> dict[str, Violations]:
    """Give what each broken rule found; nothing at all is what one hopes for."""
    found = {rule.__name__: rule(evidence) for rule in RULES}
    return {name: violations for name, violations in found.items() if violations}
