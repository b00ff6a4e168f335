"""`manage.py jobqueue_migrate`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from jobqueue.store import migrations
from jobqueue.store.database import to_conninfo
from tests.integrations.projects import run_python

MANAGE = """
import django
from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    DATABASES={databases!r}, INSTALLED_APPS=["jobqueue.integrations.django"], USE_TZ=True
)
django.setup()
execute_from_command_line(["manage.py", *{arguments!r}])
"""


def database(url: str) -> dict[str, object]:
    given = conninfo_to_dict(to_conninfo(url))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": given["dbname"],
        "USER": given.get("user", ""),
        "PASSWORD": given.get("password") or "",
        "HOST": given.get("host", ""),
        "PORT": str(given.get("port") or ""),
        "OPTIONS": {"application_name": "shop", "pool": False},
    }


def manage(
    folder: Path, databases: dict[str, dict[str, object]], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return run_python(folder, MANAGE.format(databases=databases, arguments=list(arguments)))


def test_a_database_is_migrated_and_checked(tmp_path: Path, empty_database_url: str) -> None:
    databases = {"default": database(empty_database_url)}
    behind = manage(tmp_path, databases, "jobqueue_migrate", "--check")
    assert behind.returncode == 4
    assert "0001, 0002" in behind.stderr
    assert "manage.py jobqueue_migrate" in behind.stderr
    assert migrations.position(empty_database_url).behind

    done = manage(tmp_path, databases, "jobqueue_migrate")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ran 0001, 0002" in done.stdout
    assert not migrations.position(empty_database_url).behind

    for arguments in (["--check"], []):
        again = manage(tmp_path, databases, "jobqueue_migrate", *arguments)
        assert (again.returncode, again.stderr) == (0, "")
        assert "up to date" in again.stdout


def test_another_database_is_migrated_by_its_alias(tmp_path: Path, empty_database_url: str) -> None:
    lite = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    databases = {"default": lite, "queue": database(empty_database_url)}
    done = manage(tmp_path, databases, "jobqueue_migrate", "--database", "queue")
    assert (done.returncode, done.stderr) == (0, "")
    assert not migrations.position(empty_database_url).behind

    wrong = manage(tmp_path, databases, "jobqueue_migrate")
    assert wrong.returncode != 0
    assert "database 'default': is sqlite, not PostgreSQL" in wrong.stderr


@pytest.mark.parametrize("command", ["makemigrations", "check"])
def test_djangos_own_commands_find_nothing_of_ours(
    tmp_path: Path, database_url: str, command: str
) -> None:
    done = manage(tmp_path, {"default": database(database_url)}, command)
    assert done.returncode == 0, done.stderr
    assert "No changes detected" in done.stdout or "no issues" in done.stdout
