"""The program of a child process: loads the application once, then runs one job after another.

Started by the worker as `python -m jobqueue.worker.processes.child`, with the numbers of the
descriptors that lead to it.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from typing import NoReturn

import orjson

from jobqueue import __version__
from jobqueue.client.queue import JobQueue
from jobqueue.core.errors import ApplicationError, ImportFailed
from jobqueue.core.outcome import Kind
from jobqueue.observe.logs.redaction import Redaction
from jobqueue.worker.application import load_application
from jobqueue.worker.clock import clock
from jobqueue.worker.processes.attempts import Attempts
from jobqueue.worker.processes.channel import Channel
from jobqueue.worker.processes.ending import described
from jobqueue.worker.processes.interrupts import Interrupts
from jobqueue.worker.processes.memory import (
    be_the_first_to_go,
    limit_address_space,
    resident_bytes,
)
from jobqueue.worker.processes.messages import EXIT_BROKEN, EXIT_LOST, Fields, Setup, Splitter
from jobqueue.worker.processes.output import Output
from jobqueue.worker.transaction_pools import TransactionPools

# One job runs at a time, and has one transaction; another may be in the hands of what it left.
CONNECTIONS = 2

NOT_BEGUN: Fields = {"kind": Kind.HANDED_BACK, "refund": True}


def main() -> None:
    """Run the jobs that the worker sends, until it sends no more."""
    channel = Channel(int(one) for one in sys.argv[1:])
    output, interrupts = Output(), Interrupts()
    interrupts.install()
    be_the_first_to_go()
    setup = channel.setup()
    output.install(setup.log_level)
    sys.path[:] = setup.path
    listener = Listener(channel.control, interrupts, setup.orphan_seconds)
    jobs = _load(setup, channel)
    secrets = {name: task.signature.secrets for name, task in jobs.tasks.items()}
    output.redaction = Redaction(secrets=secrets)
    url = setup.database_url or jobs.database_url
    pools = TransactionPools(url, CONNECTIONS, pooled=setup.pooled)
    attempts = listener.attempts = Attempts(jobs, pools, interrupts, output)
    try:
        attempts.open()
    except BaseException as error:  # noqa: BLE001 - as of loading
        _broken(channel, described(error))
    channel.say("ready")
    why_leave = None
    while why_leave is None and (given := channel.next_job()) is not None:
        if given.begins_until is not None and clock() >= given.begins_until:
            # Its worker was frozen, or could not renew its lease.
            fields, fit = NOT_BEGUN, True
        else:
            fields, fit = attempts.run(given.number, given.job, wants_result=given.wants_result)
        why_leave = _why_leave(setup, fit=fit)
        channel.say("done", given.number, fields, why_leave)
    attempts.close()


def _load(setup: Setup, channel: Channel) -> JobQueue:
    try:
        if setup.release != __version__:
            raise ApplicationError(  # noqa: TRY301 - told as the others are
                f"jobqueue {__version__}: its worker runs {setup.release}; start the worker anew"
            )
        jobs = load_application(setup.application, setup.imports)
        if setup.memory_limit_bytes is not None:
            limit_address_space(setup.memory_limit_bytes)
    except BaseException as error:  # noqa: BLE001 - what an application raises on import may be anything
        what = described(error)
        if isinstance(error, ImportFailed) and error.__cause__ is not None:
            what = described(error.__cause__)
        elif isinstance(error, ApplicationError):
            what["traceback"] = ""  # the message says it all
        _broken(channel, what)
    return jobs


def _broken(channel: Channel, what: dict[str, str]) -> NoReturn:
    """Tell the worker why this child can run nothing, and end."""
    channel.say("broken", what)
    sys.exit(EXIT_BROKEN)


def _why_leave(setup: Setup, *, fit: bool) -> str | None:
    """Say why this child should run no further job, if it should not."""
    if not fit:
        return "a job was stopped in the middle, or found no memory"
    if setup.max_memory_bytes is not None:
        held = resident_bytes()
        if held > setup.max_memory_bytes:
            return f"it holds {held:,} bytes of memory"
    return None


class Listener:
    """Hears what the worker says while a job runs, in a thread, and that it is gone."""

    def __init__(
        self, control: socket.socket, interrupts: Interrupts, orphan_seconds: float
    ) -> None:
        self.attempts: Attempts | None = None
        self._control = control
        self._interrupts = interrupts
        self._orphan_seconds = orphan_seconds
        threading.Thread(target=self._listen, name="jobqueue listener", daemon=True).start()

    def _listen(self) -> None:
        splitter = Splitter()
        while True:
            try:
                chunk = self._control.recv(4096)
            except OSError:
                return  # the job closed it; the child ends when it has run
            if not chunk:
                break
            for one in splitter.feed(chunk):
                self._obey(*orjson.loads(one))
        self._end_without_worker()

    def _obey(self, what: str, number: int) -> None:
        if what == "interrupt":
            self._interrupts.ask(number)
        elif self.attempts is not None:
            self.attempts.cancelled(number)

    def _end_without_worker(self) -> None:
        """End with the worker: others will run the job, and nobody hears how it ends here."""
        self._interrupts.ask_whatever_runs()
        time.sleep(self._orphan_seconds)
        os._exit(EXIT_LOST)


if __name__ == "__main__":
    main()
