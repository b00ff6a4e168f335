"""When the ticks of a schedule are: whole seconds, in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, takewhile

from jobqueue.core.schedules.cron import find_cron
from jobqueue.core.schedules.zones import find_zone, moments

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Later ones could not be read in every time zone.
LATEST = datetime(9999, 12, 29, tzinfo=UTC)
SECOND = timedelta(seconds=1)
# The first guess at how far back the latest ticks are looked for, and how much farther each time.
FIRST_WINDOW = timedelta(minutes=1)
FARTHER = 8


@dataclass(frozen=True, slots=True)
class Rule:
    """A cron pattern, an interval or a moment: one of them; and between which moments it holds.

    every_seconds: counted from `anchor`, in both directions.
    timezone: whose clocks `cron` means.
    starts_at, ends_at: no tick before the one or after the other.
    """

    cron: str | None = None
    every_seconds: int | None = None
    at: datetime | None = None
    timezone: str = "UTC"
    anchor: datetime = EPOCH
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Give the ticks after `moment`, ascending.

        Raises ConfigurationError if the pattern or the zone cannot be used here.
        """
        # In a zone with changing clocks, arithmetic would be by the clock on the wall.
        moment = moment.astimezone(UTC)
        if self.starts_at is not None:
            moment = max(moment, self.starts_at - timedelta(microseconds=1))
        ends_at = LATEST if self.ends_at is None else min(self.ends_at, LATEST)
        if moment >= ends_at:
            return iter(())
        return takewhile(lambda tick: tick <= ends_at, self._unbounded(moment))

    def passed(
        self, after: datetime, until: datetime, limit: int
    ) -> tuple[list[datetime], datetime | None]:
        """Give the last `limit` ticks after one moment and until another, and the one after those.

        After a long outage there may be millions: no more are made than some times `limit`.
        """
        after, until = after.astimezone(UTC), until.astimezone(UTC)
        window = FIRST_WINDOW
        while True:
            start = max(after, until - window)
            ticks: list[datetime] = []
            following = None
            for tick in self.after(start):
                if tick > until:
                    following = tick
                    break
                ticks.append(tick)
            if len(ticks) >= limit or start == after:
                return ticks[-limit:], following
            window *= FARTHER

    def _unbounded(self, moment: datetime) -> Iterator[datetime]:
        if self.at is not None:
            return iter([self.at] if self.at > moment else [])
        if self.every_seconds is not None:
            return self._intervals(moment, self.every_seconds)
        cron = find_cron(self.cron or "")
        return moments(cron.walls, find_zone(self.timezone), moment, twice=cron.every_hour)

    def _intervals(self, moment: datetime, every_seconds: int) -> Iterator[datetime]:
        every = timedelta(seconds=every_seconds)
        try:
            first = self.anchor + ((moment - self.anchor) // every + 1) * every
            for number in count():
                yield first + number * every
        except OverflowError:
            return  # an interval of centuries
