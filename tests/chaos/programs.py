"""The processes of a battle: which there are, and how each reaches the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.chaos.plan import LEASE_SECONDS
from tests.chaos.supervisor import Program

GRACE_SECONDS = 2.0
CLOCK_SHIFT_SECONDS = -600
SHIFTED_CLOCK = Path(__file__).parent / "shifted_clock"
APPLICATION = "tests.chaos.application:jobs"
OPTIONS = (
    *("--lease", f"{LEASE_SECONDS}s", "--grace", f"{GRACE_SECONDS}s", "--poll", "500ms"),
    *("--queue", "default=8", "--queue", "slow=4", "--transaction-connections", "3"),
    *("--pool-processes", "1"),
)


def workers(
    number: int, folder: Path, direct: str, proxied: str, pooled: str | None
) -> Iterator[Program]:
    """Give workers.

    Every other goes through the proxy, the first through PgBouncer if it is there, and the clock
    of the last one is wrong.
    """
    for index in range(number):
        through_proxy = index % 2 == 1
        environment = {
            "JOBQUEUE_DATABASE_URL": proxied if through_proxy else direct,
            "CHAOS_FOLDER": str(folder),
        }
        if index == 0 and pooled:
            environment |= {"JOBQUEUE_DATABASE_URL": pooled, "JOBQUEUE_DIRECT_URL": direct}
        if index == number - 1:
            environment["PYTHONPATH"] = str(SHIFTED_CLOCK)
            environment["CHAOS_CLOCK_SHIFT_SECONDS"] = str(CLOCK_SHIFT_SECONDS)
        arguments = ("worker", APPLICATION, *OPTIONS)
        yield Program(f"worker {index}", "jobqueue", arguments, environment, proxied=through_proxy)


def producers(
    seed: int, folder: Path, direct: str, proxied: str, pooled: str | None
) -> Iterator[Program]:
    """Give producers: direct, through the proxy, and through PgBouncer if it is there."""
    ways = {"direct": direct, "proxied": proxied} | ({"pooled": pooled} if pooled else {})
    for index, (name, url) in enumerate(ways.items()):
        arguments = ["--url", url, "--path", str(folder / f"acknowledged {name}")]
        arguments += ["--seed", str(seed * 100 + index)]
        if name == "pooled":
            arguments.append("--pooled")
        yield Program(f"producer {name}", "tests.chaos.producer", arguments)


def acknowledgements(folder: Path) -> list[Path]:
    """Give the files in which producers noted what they were told."""
    return sorted(folder.glob("acknowledged *"))
