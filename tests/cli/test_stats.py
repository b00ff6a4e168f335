"""`jobqueue stats`: queues and workers in numbers."""

from __future__ import annotations

from tests.cli.shell import Shell
from tests.worker.books import Books


def test_nothing_yet_is_said(shell: Shell) -> None:
    shown = shell.run("stats").stdout
    assert "no queue has been used yet" in shown
    assert "no worker: start one with `jobqueue worker" in shown
    assert shell.json("stats") == {
        "queues": [],
        "workers": [],
        "leader": False,
        "leader_worker": None,
        "leader_since": None,
    }


def test_queues_and_workers_are_counted(shell: Shell, books: Books) -> None:
    for delay in ("0", "0", "1 hour"):
        books.rows(
            "SELECT jobqueue.enqueue_v1('send_mail', queue => 'email', delay => %s::interval)",
            [delay],
        )
    books.rows("SELECT jobqueue.enqueue_v1('greet')")
    books.rows("UPDATE jobqueue.jobs SET state = 'running' WHERE task = 'greet'")
    books.bury("send_mail", queue="email")
    books.rows(
        "INSERT INTO jobqueue.workers "
        "(name, hostname, pid, queues, concurrency, expires_at, draining, lost_slots) VALUES"
        " ('vm:1', 'vm', 1, '{email,default}', 7, now() + interval '1 hour', false, 2),"
        " ('vm:2', 'vm', 2, '{email}', 3, now() + interval '1 hour', true, 0),"
        " ('vm:3', 'vm', 3, '{email}', 3, '-infinity', false, 0)"
    )

    numbers = shell.json("stats")
    by_name = {queue["queue"]: queue for queue in numbers["queues"]}
    assert set(by_name) == {"default", "email"}
    email, default = by_name["email"], by_name["default"]
    assert (email["available"], email["scheduled"], email["running"]) == (2, 1, 0)
    assert (email["dead"], email["workers"]) == (1, 2)
    assert 0 <= email["oldest_seconds"] < 60
    assert (default["running"], default["oldest_seconds"], default["workers"]) == (1, None, 1)
    assert [worker["name"] for worker in numbers["workers"]] == ["vm:1", "vm:2", "vm:3"]
    assert [worker["lost_slots"] for worker in numbers["workers"]] == [2, 0, 0]
    assert numbers["leader"] is False

    shown = shell.quick("stats").stdout
    lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert lines["email"].split()[:5] == ["email", "2", "1", "0", "1"]
    assert lines["vm:1"].split()[-1] == "working"
    assert "7 (2 lost)" in lines["vm:1"]
    assert "lost" not in lines["vm:2"]
    assert lines["vm:2"].split()[-1] == "draining"
    assert lines["vm:3"].split()[-1] == "expired"
    assert "no leader" in shown
