"""Running the command as a person at a shell does: a process of its own, in a folder of theirs."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from jobqueue.cli import main

# A command that takes longer hangs.
LIMIT_SECONDS = 30.0

APPLICATION = """
from jobqueue import JobQueue, Retry

jobs = JobQueue()


@jobs.task
async def greet(name: str, times: int = 1) -> None:
    print(f"hello {name}" * times, flush=True)


@jobs.task(queue="email", priority="critical", retry=Retry(attempts=1))
def send_mail(address: str) -> None:
    raise RuntimeError(f"no mail server for {address}")
"""


class Shell:
    """A folder with a small application in it, `shop.py`, and an environment without surprises."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.folder = folder
        self.url = url
        (folder / "shop.py").write_text(APPLICATION)

    def start(self, *arguments: str, url: str | None = None) -> subprocess.Popen[str]:
        """Start the command; it is the caller's to end, with `finish`."""
        return subprocess.Popen(
            [sys.executable, "-m", "jobqueue", *arguments],
            cwd=self.folder,
            env=self._environment(url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, url: str | None = None, answer: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end. answer: what is typed in."""
        return finish(self.start(*arguments, url=url), answer=answer)

    def quick(
        self, *arguments: str, url: str | None = None, answer: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Do the same inside this process, where it takes no half second to start."""
        output, errors = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self._environment(url), clear=True),
            mock.patch.object(sys, "argv", ["jobqueue", *arguments]),
            mock.patch.object(sys, "path", sys.path.copy()),
            mock.patch.dict(sys.modules),
            mock.patch.object(sys, "stdin", io.StringIO(answer)),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            try:
                main.run()
            except SystemExit as end:
                code = int(end.code or 0)
            else:
                code = 0
        return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())

    def json(self, *arguments: str) -> Any:
        """Run a command that has to succeed, with --json, and read what it prints."""
        done = self.quick(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _environment(self, url: str | None) -> dict[str, str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("JOBQUEUE_")
        }
        environment["COLUMNS"] = "200"
        if (used := url if url is not None else self.url) is not None:
            environment["JOBQUEUE_DATABASE_URL"] = used
        return environment


def finish(
    process: subprocess.Popen[str], *, answer: str = "", seconds: float = LIMIT_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Wait for a command to end; one that does not is killed, and fails the test."""
    try:
        output, errors = process.communicate(answer, timeout=seconds)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """Give the one line that a command said on stderr; a traceback, or more, fails."""
    [line] = done.stderr.strip().splitlines()
    return line
