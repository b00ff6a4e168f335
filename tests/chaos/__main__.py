"""`python -m tests.chaos --minutes 2 --seed 7`: exit code 0 if every rule held, 1 if one broke."""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.chaos import notes, pooler
from tests.chaos.application import RUNS
from tests.chaos.battle import Battle, Settings
from tests.chaos.checker import check
from tests.chaos.evidence import Evidence, Violations
from tests.chaos.plan import Fault, make_plan, short_plan
from tests.chaos.recovery import recoveries

MOST_SHOWN = 20
MOST_JOBS_TOLD = 5
MOST_LINES_TOLD = 40

JOB = re.compile(r"job ([0-9a-f-]{36})")


def say(*lines: str) -> None:
    """Print lines at once: whoever watches wants to see how far it is."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


AFTERMATH_SECONDS = 3.0


async def fight(settings: Settings, folder: Path) -> Evidence:
    """Fight, and end everything also when told to stop by SIGTERM."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await Battle(settings, folder).fight()


def report(seed: int, evidence: Evidence, broken: dict[str, Violations]) -> str:
    """Print what broke and how soon work went on, and give the line that sums it all up."""
    for rule, violations in broken.items():
        say(f"BROKEN {rule}: {len(violations)}")
        say(*(f"    {violation}" for violation in violations[:MOST_SHOWN]))
    for recovery in recoveries(evidence):
        say(f"recovery: {recovery}")
    states = Counter(job.state for job in evidence.jobs)
    ends = Counter(", ".join(sorted(end.done_to_it)) or "by itself" for end in evidence.exits)
    faults = Counter(fault.kind.value for fault in evidence.happened)
    return "; ".join(
        [
            f"chaos seed {seed}",
            f"acknowledged orders {len(evidence.acknowledged)}",
            "jobs " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())),
            f"runs {len(evidence.runs)}",
            "processes ended " + ", ".join(f"{count} {how}" for how, count in sorted(ends.items())),
            "faults " + ", ".join(f"{count} x {kind}" for kind, count in sorted(faults.items())),
            f"BROKEN {', '.join(broken)}" if broken else "every rule held",
        ]
    )


def background(folder: Path, broken: dict[str, Violations]) -> Iterator[str]:
    """Give what is known of jobs that a rule broke for, and what the workers said last.

    A machine that is gone when somebody reads this keeps no logs.
    """
    text = "\n".join(violation for violations in broken.values() for violation in violations)
    jobs = set(list(dict.fromkeys(JOB.findall(text)))[:MOST_JOBS_TOLD])
    yield "notes of some of these jobs:"
    for note in notes.read(folder / RUNS):
        if note["job"] in jobs:
            yield f"    {note}"
    for path in sorted(folder.glob("worker *.log")):
        yield f"the last lines of {path.name}:"
        lines = path.read_text(errors="replace").splitlines()
        yield from (f"    {line}" for line in lines[-MOST_LINES_TOLD:])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=None, help="default: a random one, printed")
    parser.add_argument("--postgres", type=int, choices=(16, 18), default=18)
    parser.add_argument("--short", action="store_true", help="the plan of the test suite")
    parser.add_argument("--plan-only", action="store_true", help="print the plan and do nothing")
    parser.add_argument(
        "--keep", type=Path, help="a folder for logs and notes; else kept if broken"
    )
    given = parser.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    plan = short_plan() if given.short else make_plan(seed, given.minutes)
    say(f"seed {seed}; the plan:", *map(str, plan))
    if given.plan_only:
        return 0
    if pooler.program() is None:
        say("LEFT OUT: everything through PgBouncer; install the package pgbouncer")
    return _fight_and_judge(seed, plan, given)


def _fight_and_judge(seed: int, plan: list[Fault], given: argparse.Namespace) -> int:
    seconds = plan[-1].at + AFTERMATH_SECONDS if given.short else given.minutes * 60
    with tempfile.TemporaryDirectory(prefix="jobqueue-chaos-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # the servers' user has to get in
        broken: dict[str, Violations] = {}
        finished = False
        try:
            evidence = asyncio.run(fight(Settings(seed, plan, seconds, given.postgres), folder))
            broken = check(evidence)
            line = report(seed, evidence, broken)
            if broken:
                say(*background(folder, broken))
            finished = True
        except (KeyboardInterrupt, asyncio.CancelledError):
            line = f"chaos seed {seed}; stopped before the end, with all that was started"
        finally:
            if given.keep or broken or not finished:
                kept = given.keep or Path(tempfile.gettempdir()) / f"chaos-{seed}"
                _keep(folder, kept)
                say(f"logs and notes: {kept}")
        say(line)
    return 0 if finished and not broken else 1


def _keep(folder: Path, kept: Path) -> None:
    """Keep the files of the battle's folder; the servers' data go."""
    kept.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_file():
            shutil.copy(path, kept)


if __name__ == "__main__":
    sys.exit(main())
