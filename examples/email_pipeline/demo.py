"""The whole product in half a minute: `make demo`.

A thousand people sign up, a tenth of them in transactions that roll back. A worker welcomes them
through a mail server that puts a tenth of the mails off and refuses three recipients for good; on
the way the worker is killed and started again. In the end the sums have to be right.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psycopg
from rich.console import Console
from rich.markup import escape

from examples.email_pipeline import database, record, tally
from examples.email_pipeline.processes import Child, Children, DemoError
from examples.email_pipeline.sign_ups import Plan, plan
from examples.email_pipeline.tally import Tally
from examples.email_pipeline.watch import Watch
from jobqueue import JobQueueError

FOLDER = Path(".jobqueue/demo")
WORKER_LOG = FOLDER / "worker.log"
MAILS = FOLDER / "mails.jsonl"
# Where the mail server says on which port it listens.
ADDRESS = FOLDER / "smtp.address"
ADDRESS_SECONDS = 20.0


def main() -> int:
    """Play the demo, show the sums, and give the exit code: 0 if every one is right."""
    # However it is ended, short of SIGKILL, it ends its processes first.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    console = Console(highlight=False)
    began = time.monotonic()
    try:
        result = play(plan(), console)
    except KeyboardInterrupt:
        console.print("Interrupted.")
        return 130
    except (DemoError, JobQueueError, psycopg.Error) as error:
        console.print("[bold red]The demo broke off:[/]", escape(str(error)), soft_wrap=True)
        console.print(f"The worker's log: {WORKER_LOG}")
        return 1
    console.print()
    console.print(tally.sums_table(result), tally.dead_letters_table(result))
    return verdict(result, time.monotonic() - began, console)


def play(plan: Plan, console: Console) -> Tally:
    """Sign everybody up, welcome them, kill the worker on the way, and count what came of it."""
    console.print("Starting PostgreSQL with a fresh database, and running `jobqueue migrate`")
    with (
        database.fresh(FOLDER / "postgres") as url,
        psycopg.connect(url, autocommit=True) as connection,
        Children(FOLDER, os.environ | {"JOBQUEUE_DATABASE_URL": url}) as children,
    ):
        clear_folder()
        smtp_server = start_smtp_server(children, plan)
        with Watch(connection, MAILS, children, plan, console) as watch:
            worker = start_worker(children, smtp_server)
            sign_ups = children.start("sign-ups", "examples.email_pipeline.sign_ups")
            watch.until("a third of the mails", lambda now: now.welcomed >= plan.reachable // 3)
            kill(worker, watch)
            worker = start_worker(children, smtp_server)
            watch.until("all sign-ups", lambda _: sign_ups.exit_code == 0)
            watch.until("an end to every job", lambda now: now.unfinished == 0)
            stop(worker)
        return tally.count(connection, record.read(MAILS), plan)


def clear_folder() -> None:
    """Remove what the last run left, its database server apart."""
    for file in (MAILS, ADDRESS, *FOLDER.glob("*.log")):
        file.unlink(missing_ok=True)


def start_smtp_server(children: Children, plan: Plan) -> str:
    """Start the mail server and give its address, `host:port`."""
    refusals = [f"--refuse={email}" for email in plan.without_mailbox]
    children.start(
        "smtp-server",
        "examples.email_pipeline.smtp_server",
        f"--record={MAILS}",
        f"--address-file={ADDRESS}",
        *refusals,
    )
    deadline = time.monotonic() + ADDRESS_SECONDS
    while not ADDRESS.exists():
        children.check()
        if time.monotonic() > deadline:
            raise DemoError(f"smtp-server: does not listen after {ADDRESS_SECONDS:g} s")
        time.sleep(0.05)
    return ADDRESS.read_text()


def start_worker(children: Children, smtp_server: str) -> Child:
    """Start a worker as one would in production; only the lease is short, to see it run out."""
    application = "examples.email_pipeline.app:jobs"
    return children.start(
        "worker",
        *("jobqueue", "worker", application, "--queue", "email=20", "--lease", "5"),
        SMTP_SERVER=smtp_server,
    )


def kill(worker: Child, watch: Watch) -> None:
    """End the worker in the middle of its work."""
    worker.kill()
    now = watch.look()
    watch.say(
        f"Killed the worker (SIGKILL) after {now.welcomed} mails, {now.running} jobs in its hands; "
        "starting another"
    )


def stop(worker: Child) -> None:
    """End the worker as a deployment would. Raises DemoError unless it exits with 0."""
    code = worker.stop()
    if code != 0:
        raise DemoError(f"worker: exit code {code} after SIGTERM, not 0; see {worker.log}")


def verdict(result: Tally, seconds: float, console: Console) -> int:
    """Say whether the sums are right, and give the exit code."""
    for one in result.wrong:
        console.print(f"[bold red]Wrong:[/] {one.what} {one.found}, expected {one.expected}")
    if result.wrong:
        console.print(f"The worker's log: {WORKER_LOG}")
        return 1
    console.print(f"[bold green]Every sum is right[/] ({seconds:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
