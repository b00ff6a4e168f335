"""Where looks for jobs begin: at the head of a queue, or past what was claimed before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import inf

from jobqueue.store.claims import FIRST_ID, NO_STRETCHES, Claimed, Look, Stretch

# How far before the last claimed job a look may begin, in seconds between the times they were due.
DEPTHS = (inf, 10.0, 1.0, 0.1, 0.0)
# Entries of the index that a look may walk over in vain, and so many more for each job found.
FEW = 2_000
FEW_PER_JOB = 4
# A look that walked over more is worth a fortieth of the time, at each depth.
SHARE = 40
# Whatever held it up.
LONGEST_SECONDS = 10.0
# Nothing is due before, as PostgreSQL counts; in seconds since 1970.
EARLIEST = -200_000_000_000.0

Place = tuple[float, str]
"""A job's place among those of its queue and priority: when it was due, and its id."""


class Looks:
    """Chooses the depth of each look, so that no claim walks over the same dead entries for long.

    Claimed jobs leave the index when nobody can see them there any more. While some session holds
    an old snapshot, a report or a backup, that is not before it ends, and each look from the head
    of the queue would walk over all of them. Looks then begin past the last claimed job of each
    priority. What may have come in before that place (an enqueue that was long in committing, a
    rescued job) is found by deeper looks: the deepest that is cheap, each time, and those that
    are not cheap as often as they take a small part of the time. What such a look has found and
    not yet taken is followed up at once.

    priorities: that jobs are likely to have.
    """

    def __init__(self, queues: Iterable[str], priorities: Collection[int]) -> None:
        self._places: dict[str, dict[int, Place]] = {queue: {} for queue in queues}
        self._priorities = set(priorities)
        self._not_before = dict.fromkeys(DEPTHS, -inf)
        self._depth = inf

    def stretches(self, now: float) -> Mapping[str, Sequence[Stretch]]:
        """Where to look in each queue. now: seconds by any clock, the same in `learn`."""
        self._depth = next(depth for depth in DEPTHS if self._not_before[depth] <= now)
        if self._depth == inf:
            return NO_STRETCHES
        return {queue: [*_stretches(places, self._depth)] for queue, places in self._places.items()}

    def forget(self) -> None:
        """Begin the next looks at the head of each queue, as the first ones did."""
        for places in self._places.values():
            places.clear()
        self._not_before = dict.fromkeys(DEPTHS, -inf)

    def learn(self, limits: Mapping[str, int], look: Look, now: float, seconds: float) -> None:
        """Take in what the last look came to. seconds: how long it took, until now."""
        if look.walked is None:
            return
        costly = look.walked > FEW + FEW_PER_JOB * len(look.jobs)
        if costly and self._depth > 0:
            self._not_before[self._depth] = now + min(SHARE * seconds, LONGEST_SECONDS)
        elif self._depth == inf:
            return  # all is cheap, which is nearly always: there is nothing to keep in mind
        self._note(limits, look)

    def _note(self, limits: Mapping[str, int], look: Look) -> None:
        """Note how far each queue was looked through."""
        found: dict[str, list[Claimed]] = {queue: [] for queue in limits}
        for job in look.jobs:
            found[job.queue].append(job)
        for queue, jobs in found.items():
            places = self._places[queue]
            for priority, place in {job.priority: (job.run_at, job.id) for job in jobs}.items():
                places[priority] = max(place, places.get(priority, place))
            if len(jobs) < limits[queue]:
                places.update(
                    dict.fromkeys(self._priorities | places.keys(), (look.moment, FIRST_ID))
                )
            elif jobs:
                # It ended here, perhaps far before where others did: there may be more like these.
                last = jobs[-1]
                places[last.priority] = (last.run_at, last.id)


def _stretches(places: Mapping[int, Place], depth: float) -> Iterator[Stretch]:
    """Cut a queue into what lies between its places.

    depth: 0 to begin at each place itself, otherwise how many seconds before it.
    """
    lowest = -(2**15)
    after: tuple[int, float, str] = (lowest, -inf, FIRST_ID)
    for priority, (run_at, job_id) in chain(sorted(places.items()), [(2**15, (inf, FIRST_ID))]):
        yield Stretch(*after, to_priority=priority - 1)
        begin = run_at - depth
        after = (
            priority,
            begin if begin > EARLIEST else -inf,
            FIRST_ID if depth else job_id,
        )
