"""Schedules: many due at once, how late ticks are, and what idle schedules cost."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from benchmarks.database import single
from benchmarks.draining import Drain
from benchmarks.measure import (
    Bench,
    Group,
    Metric,
    Options,
    Samples,
    latency_metrics,
    percentiles,
)
from benchmarks.recovery import Scene, scene_on
from benchmarks.worker_process import command
from benchmarks.workload import note_run

SCHEDULES = 10_000
DUE = 1_000
# A slow machine needs some time to make and plan them all.
AHEAD_SECONDS = 15
EACH_SECOND = 20
SECONDS = 15
IDLE_SECONDS = 10.0
CALM_SECONDS = 4.0
KILLS = 4
KILLED_SECONDS = 7

INSERT = (
    "INSERT INTO jobqueue.schedules"
    " (name, task, args, cron, timezone, missed, missed_after_seconds)"
    " VALUES (%s, %s, %s, %s, %s, 'all', 3600)"
)
LATE = b"SELECT extract(epoch FROM decided_at - tick_at)::float FROM jobqueue.schedule_ticks"
LEADER = "SELECT split_part(worker, ':', 2)::integer FROM jobqueue.leader"

Connection = psycopg.Connection[Any]
Row = tuple[str, str, str, str, str]


def schedules(_: Options) -> Group:
    """A burst, lateness with a leader and after it was killed, and idle schedules."""

    def measure(bench: Bench) -> Samples:
        return {
            "schedules.burst": _burst(bench),
            **percentiles("schedules.late", _late(bench)),
            "schedules.killed": _killed(bench),
            "schedules.idle.none": _idle(bench, 0),
            "schedules.idle.many": _idle(bench, SCHEDULES),
        }

    return Group(
        "schedules",
        (
            Metric(
                "schedules.burst",
                "s",
                f"{DUE:,} of {SCHEDULES:,} schedules due in one second, to the last enqueued",
                1,
                less_is_better=True,
            ),
            *latency_metrics("schedules.late", "tick to its job's enqueue", {"p99": 100}),
            Metric(
                "schedules.killed",
                "s",
                f"latest tick after a SIGKILL of the leader, {KILLS} times",
                5,
                less_is_better=True,
            ),
            Metric("schedules.idle.none", "% of a core", "an idle worker and the server"),
            Metric(
                "schedules.idle.many",
                "% of a core",
                f"the same with {SCHEDULES:,} idle schedules",
            ),
        ),
        {
            "schedules": SCHEDULES,
            "due": DUE,
            "each_second": EACH_SECOND,
            "seconds": SECONDS,
            "worker": f"python {' '.join(command())}",
        },
        measure,
        most_rounds=1,
    )


def _insert(connection: Connection, rows: list[Row]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(INSERT.encode(), rows)


def _idle_rows(count: int) -> list[Row]:
    """Give schedules that are due once a year, and not in these days."""
    month = (datetime.now(UTC) + timedelta(days=90)).month
    return [
        (f"idle {number}", "note_run", '{"number": 0}', pattern, "Europe/Berlin")
        for number in range(count)
        for pattern in [f"{number % 60} 3 {number % 28 + 1} {month} *"]
    ]


def _planned(drain: Drain) -> None:
    query = "SELECT NOT EXISTS (SELECT FROM jobqueue.schedules WHERE next_at IS NULL)"
    drain.wait(lambda: bool(single(drain.connection, query)), "planning of all schedules")


def _burst(bench: Bench) -> float:
    """Give the seconds from the tick that many schedules have to the last of their jobs."""
    with (
        bench.server.fresh("schedules") as url,
        Drain.on(url, note_run, bench.folder) as drain,
        drain.workers(url, most_runs=2 * DUE),
    ):
        _insert(drain.connection, _idle_rows(SCHEDULES - DUE))
        now: datetime = single(drain.connection, "SELECT now()")
        tick = now.astimezone(UTC) + timedelta(seconds=AHEAD_SECONDS)
        pattern = f"{tick.minute} {tick.hour} * * * {tick.second}"
        rows = [
            (f"due {number}", "note_run", f'{{"number": {number}}}', pattern, "UTC")
            for number in range(DUE)
        ]
        _insert(drain.connection, rows)
        _planned(drain)
        drain.wait(lambda: drain.started() >= DUE, "jobs of all that were due")
        return max(seconds for (seconds,) in drain.connection.execute(LATE).fetchall())


def _late(bench: Bench) -> list[float]:
    """Give how late each tick was, in ms, of some schedules that have one each second."""
    with (
        bench.server.fresh("schedules") as url,
        Drain.on(url, note_run, bench.folder) as drain,
        drain.workers(url, most_runs=4 * EACH_SECOND * SECONDS),
    ):
        rows = [
            (f"each second {number}", "note_run", '{"number": 0}', "* * * * * *", "Europe/Berlin")
            for number in range(EACH_SECOND)
        ]
        _insert(drain.connection, rows)
        drain.wait(lambda: drain.started() >= EACH_SECOND, "first jobs")
        drain.connection.execute("DELETE FROM jobqueue.schedule_ticks")
        drain.wait(lambda: drain.started() >= EACH_SECOND * SECONDS, "jobs of each second")
        return [1000 * seconds for (seconds,) in drain.connection.execute(LATE).fetchall()]


def _killed(bench: Bench) -> float:
    """Give how late the latest tick was when the leader of two workers was killed."""
    with (
        bench.server.fresh("schedules") as url,
        psycopg.connect(url, autocommit=True) as connection,
        scene_on(url, bench.folder) as scene,
    ):
        for _ in range(2):
            scene.start()
        scene.wait_for_workers(connection, 2)
        args = '{"number": 0, "seconds": 0}'
        _insert(connection, [("s", "nap", args, "* * * * * *", "Europe/Berlin")])
        scene.wait(lambda: _ticks(connection) >= 2, "first ticks")
        for _ in range(KILLS):
            _kill(scene, single(connection, LEADER))
            after = _ticks(connection) + KILLED_SECONDS
            scene.wait(lambda after=after: _ticks(connection) >= after, "ticks after the kill")
            # Not sooner: a worker that starts would lead before the other asks who does.
            heir = scene.start()
            scene.wait(
                lambda pid=heir.pid: (
                    single(connection, f"SELECT count(*) FROM jobqueue.workers WHERE pid = {pid}")
                    > 0
                ),
                "the next worker",
            )
        late = connection.execute(LATE + b" ORDER BY tick_at OFFSET 2").fetchall()
        return max(seconds for (seconds,) in late)


def _kill(scene: Scene, pid: int) -> None:
    # A dead one of those we started ourselves ends the waiting.
    scene.workers = [one for one in scene.workers if one.pid != pid]
    os.kill(pid, signal.SIGKILL)


def _ticks(connection: Connection) -> int:
    return int(single(connection, "SELECT count(*) FROM jobqueue.schedule_ticks"))


def _idle(bench: Bench, count: int) -> float:
    """Give what a worker and the server use beside so many schedules, in percent of a core."""
    with (
        bench.server.fresh("schedules") as url,
        Drain.on(url, note_run, bench.folder) as drain,
        drain.workers(url, most_runs=1),
    ):
        _insert(drain.connection, _idle_rows(count))
        _planned(drain)
        time.sleep(CALM_SECONDS)
        before = drain.used()
        time.sleep(IDLE_SECONDS)
        after = drain.used()
    seconds = (after.at_ns - before.at_ns) / 1e9
    used = after.workers - before.workers + (after.server or 0.0) - (before.server or 0.0)
    return 100 * used / seconds
