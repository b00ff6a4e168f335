"""The ports that show what there is to see, and the command that asks for health."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen

import pytest

from tests.cli.shell import Shell, finish, one_line
from tests.waiting import until
from tests.worker.books import Books


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


@contextmanager
def started(shell: Shell, *arguments: str) -> Iterator[Popen[str]]:
    process = shell.start(*arguments)
    try:
        yield process
    finally:
        process.terminate()
        done = finish(process)
        assert done.returncode == 0, done.stderr


def test_a_worker_shows_metrics_and_health(shell: Shell) -> None:
    port = free_port()
    shell.quick("enqueue", "greet", '{"name": "a\\"b"}')
    with started(shell, "worker", "shop:jobs", "--metrics-port", f"127.0.0.1:{port}"):
        until(lambda: get(port, "ready")[0] == 200, what="it is ready")
        done = 'jobqueue_attempts_total{outcome="completed",queue="default",task="greet"} 1.0'
        until(lambda: done in get(port, "metrics")[1], what="the job is counted")
        assert json.loads(get(port, "live")[1]) == {"healthy": True, "problems": []}
        assert get(port, "nothing")[0] == 404
        well = shell.quick("health", "--metrics-port", str(port))
        assert (well.returncode, well.stdout) == (0, "ready: yes\n")
        taken = shell.run("worker", "shop:jobs", "--metrics-port", f"127.0.0.1:{port}")
        assert taken.returncode == 2
        assert "cannot listen" in taken.stderr
    ill = shell.quick("health", "--metrics-port", str(port), "--live")
    assert ill.returncode == 1
    assert "nothing answers" in one_line(ill)


def test_several_processes_have_the_next_ports(shell: Shell) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    arguments = ("worker", "shop:jobs", "--processes", "2", "--metrics-port", address)
    with started(shell, *arguments):
        for one in (port, port + 1):
            until(lambda one=one: get(one, "ready")[0] == 200, what=f"port {one} is ready")


@pytest.mark.parametrize("text", ["x", "70000", "1:2:x", ""])
def test_what_is_no_port_is_refused(shell: Shell, text: str) -> None:
    done = shell.quick("health", "--metrics-port", text)
    assert done.returncode == 2
    assert "no port; write PORT or HOST:PORT" in one_line(done)


def test_the_exporter_shows_the_fleet_and_marks_what_is_old(shell: Shell, books: Books) -> None:
    port = free_port()
    depth = 'jobqueue_queue_jobs{queue="email",state="available"} 3.0'
    books.rows("INSERT INTO jobqueue.queues (name) VALUES ('email')")
    books.rows(
        "INSERT INTO jobqueue.queue_samples VALUES ('email', 3,0,0,0,0,0, false, now(), now())"
    )
    books.rows("INSERT INTO jobqueue.fleet_sample VALUES (now(), 1, 3, 0, 0, NULL, 0, 0)")
    with started(shell, "exporter", "--port", f"127.0.0.1:{port}"):
        until(lambda: depth in get(port, "metrics")[1], what="the depth is shown")
        assert "jobqueue_database_up 1.0" in get(port, "metrics")[1]
        books.rows("UPDATE jobqueue.fleet_sample SET taken_at = now() - interval '2 minutes'")
        until(lambda: "jobqueue_queue_jobs" not in get(port, "metrics")[1], what="it is left out")
        shown = get(port, "metrics")[1]
        [age] = [line for line in shown.splitlines() if line.startswith("jobqueue_sample_age")]
        assert float(age.split()[1]) > 100
        books.rows("UPDATE jobqueue.fleet_sample SET taken_at = now()")
        until(lambda: depth in get(port, "metrics")[1], what="it is back")
        books.rows("ALTER TABLE jobqueue.queue_samples RENAME TO gone")
        books.rows("ALTER VIEW jobqueue.queue_metrics RENAME TO gone_too")
        until(lambda: "jobqueue_database_up 0.0" in get(port, "metrics")[1], what="it is marked")
        shown = get(port, "metrics")[1]
        assert "jobqueue_queue_jobs" not in shown
        assert "jobqueue_fleet_workers" not in shown
        assert "jobqueue_sample_age_seconds" in shown
        assert get(port, "ready")[0] == 503
        assert get(port, "live")[0] == 200


def test_the_sample_is_shown_without_counting(shell: Shell, books: Books) -> None:
    assert "no queue has been sampled yet" in shell.quick("stats", "--sampled").stdout
    books.rows(
        "INSERT INTO jobqueue.queue_samples VALUES ('email', 1200000,0,0,0,0,4, true, now(), now())"
    )
    shown = shell.quick("stats", "--sampled").stdout
    assert "~1,200,000" in shown
    assert "OLD" in shown
    [queue] = shell.json("stats", "--sampled")["queues"]
    assert (queue["available"], queue["dead"], queue["estimated"]) == (1_200_000, 4, True)
