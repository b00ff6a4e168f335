"""What `jobqueue worker MODULE:NAME` says when it cannot find or start the application."""

from __future__ import annotations

import pytest

from tests.cli.shell import Shell, one_line

NOBODY_THERE = "postgresql://127.0.0.1:1/shop"

BROKEN = """
def settings():
    return {}["SECRET_KEY"]

settings()
"""


def test_a_module_that_fails_on_import_shows_its_own_traceback(bare_shell: Shell) -> None:
    (bare_shell.folder / "broken.py").write_text(BROKEN)
    done = bare_shell.run("worker", "broken:jobs")
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert f'File "{bare_shell.folder / "broken.py"}", line 3, in settings' in done.stderr
    *trace, error = done.stderr.strip().splitlines()
    assert trace[-1] == "KeyError: 'SECRET_KEY'"
    assert error.startswith(
        "error: application 'broken:jobs': module 'broken' fails when it is imported (KeyError"
    )
    files = {line.split('"')[1] for line in trace if line.startswith("  File")}
    assert files == {str(bare_shell.folder / "broken.py")}, "no calls but the module's own"


def test_a_module_to_import_besides_is_named_when_it_fails(bare_shell: Shell) -> None:
    (bare_shell.folder / "broken.py").write_text(BROKEN)
    done = bare_shell.quick("worker", "shop:jobs", "--import", "broken", url=NOBODY_THERE)
    assert done.returncode == 1
    assert "error: --import 'broken': module 'broken' fails when it is imported" in done.stderr
    cases = {"nowhere": "no module named 'nowhere' here", "./broken": "not a module's name"}
    for name, said in cases.items():
        done = bare_shell.quick("worker", "shop:jobs", "--import", name, url=NOBODY_THERE)
        assert done.returncode == 2
        assert f"--import {name!r}: {said}" in one_line(done)


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("import a_dependency_nobody_has", "No module named 'a_dependency_nobody_has'"),
        ("from shop import nothing_such", "cannot import name 'nothing_such' from 'shop'"),
        ("raise ValueError('of the application')", "ValueError: of the application"),
        ("raise TypeError('of the application')", "TypeError: of the application"),
        ("def f(:", "SyntaxError: invalid syntax"),
    ],
)
def test_what_the_module_itself_does_wrong_is_not_taken_for_a_wrong_name(
    bare_shell: Shell, source: str, last: str
) -> None:
    (bare_shell.folder / "broken.py").write_text(source + "\n")
    done = bare_shell.run("worker", "broken:jobs")
    assert done.returncode == 1
    assert str(bare_shell.folder / "broken.py") in done.stderr
    *_, shown, error = done.stderr.strip().splitlines()
    assert last in shown
    assert last in error


def test_a_name_that_leads_nowhere_is_one_clear_line(bare_shell: Shell) -> None:
    (bare_shell.folder / "empty.py").write_text(
        "from jobqueue import JobQueue\njobs = JobQueue()\n"
    )
    cases = {
        "shpo:jobs": "no module named 'shpo'",
        "shop.tasks:jobs": "no module named 'shop.tasks'",
        "shop.py": "no module named 'shop.py'",
        "./shop:jobs": "not a module's name",
        ":jobs": "not a module's name",
        "shop:job": "module 'shop' has no 'job'",
        "shop:greet": "is a Task, not a JobQueue",
        "empty:jobs": "registers no task; import the modules with its tasks",
    }
    for path, said in cases.items():
        done = bare_shell.quick("worker", path, url=NOBODY_THERE)
        assert done.returncode == 2, path
        assert said in one_line(done)


def test_tasks_of_another_module_are_imported_when_named(bare_shell: Shell) -> None:
    (bare_shell.folder / "empty.py").write_text(
        "from jobqueue import JobQueue\njobs = JobQueue()\n"
    )
    (bare_shell.folder / "more.py").write_text(
        "from empty import jobs\n\n@jobs.task\ndef work() -> None: ...\n"
    )
    waits = ["--connect-timeout", "0", "--import"]
    found = bare_shell.run("worker", "empty:jobs", *waits, "more", url=NOBODY_THERE)
    assert found.returncode == 3, "it is content with the application and tries to connect"
    missing = bare_shell.run("worker", "empty:jobs", *waits, "nowhere", url=NOBODY_THERE)
    assert missing.returncode == 2
    assert "no module named 'nowhere'" in one_line(missing)


def test_settings_that_make_no_sense_are_wrong_usage(bare_shell: Shell) -> None:
    cases = {
        ("--queue", "email=many"): "'many' is not a number",
        ("--queue", "email", "--queue", "email=2"): "named twice",
        ("--queue", "email:5"): "queue 'email:5': a colon sets no number; write email=5",
        ("--queue", "email=0"): "concurrency 0: out of range",
        ("--concurrency", "0"): "concurrency 0: out of range",
        ("--grace", "soon"): "not a duration",
        ("--log-level", "loud"): "not a level",
        ("--history-days", "0"): "--history-days",
    }
    for options, said in cases.items():
        done = bare_shell.quick("worker", "shop:jobs", *options, url=NOBODY_THERE)
        assert done.returncode == 2, options
        assert said in done.stderr
