"""The lines of a worker: for each queue its slots, the jobs in hand, and how many more to claim."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from jobqueue.store.claims import Claimed

MOST_PREFETCHED = 1_000
# Characters of arguments that wait in hand for a slot, as far as the mean can tell.
MOST_CHARACTERS = 16 * 2**20
# Weight of the newest measurement in a running mean.
NEWEST = 0.1


class Line:
    """One queue as this worker serves it.

    Beside the free slots it asks for what the slots will have used up by the time the answer is
    here: `concurrency * round trip / mean run time` more. Short jobs are so claimed by the
    hundred; long ones only when a slot is free, and never wait in one worker's hand. It asks for
    twice as many ahead each time the queue gave all it was asked for, and for little more than it
    gave when it did not, so that workers share what is in a queue that is nearly empty; and never
    for more than a modest amount of memory holds.
    """

    __slots__ = (
        "ahead", "buffer", "concurrency", "filling", "lost", "mean_characters", "mean_seconds",
        "queue", "running",
    )  # fmt: skip

    def __init__(self, queue: str, concurrency: int) -> None:
        self.queue = queue
        self.concurrency = concurrency
        self.running = 0
        self.lost = 0
        self.buffer: deque[Claimed] = deque()
        self.mean_seconds: float | None = None
        self.filling = False
        self.ahead = concurrency
        self.mean_characters = 0.0

    @property
    def free(self) -> int:
        """Slots that run nothing."""
        return self.concurrency - self.running

    def take_out(self, wanted: Callable[[Claimed], bool]) -> list[Claimed]:
        """Take jobs out of the hand that have not started."""
        taken = [job for job in self.buffer if wanted(job)]
        if taken:
            self.buffer = deque(job for job in self.buffer if not wanted(job))
        return taken

    def measure(self, run_seconds: float) -> None:
        """Take a finished attempt's time into the mean."""
        if self.mean_seconds is None:
            self.mean_seconds = run_seconds
        else:
            self.mean_seconds += NEWEST * (run_seconds - self.mean_seconds)

    def answered(self, asked: int, found: int, characters: int) -> None:
        """Learn how many jobs a claim gave of those it asked for, and how long their arguments."""
        if found:
            self.mean_characters += 0.5 * (characters / found - self.mean_characters)
        if found == asked:
            self.ahead = min(self.ahead * 2, MOST_PREFETCHED)
        else:
            # Of what comes in bursts a whole one is taken at once; what trickles is shared.
            fewer = min(self.ahead, 2 * found) if found else self.ahead * 7 // 8
            self.ahead = max(fewer, self.concurrency)

    def slowed(self, seconds: float) -> None:
        """Learn that attempts now take at least so long, before any of them has finished."""
        self.mean_seconds = max(seconds, self.mean_seconds or 0.0)

    def wanted(self, round_trip_seconds: float) -> int:
        """How many jobs to ask for now; 0 while enough are in hand."""
        prefetch = 0
        if self.mean_seconds is not None:
            used_up = self.concurrency * round_trip_seconds / max(self.mean_seconds, 1e-6)
            fit_in = MOST_CHARACTERS / max(self.mean_characters, 1.0)
            prefetch = int(min(self.ahead, used_up, fit_in))
        target = self.concurrency + prefetch
        missing = target - self.running - len(self.buffer)
        starving = self.free > len(self.buffer)
        # Ask early when a slot would stand idle, otherwise in batches worth a round trip.
        return missing if starving or missing * 2 >= target else 0
