"""`manage.py jobqueue_migrate`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from jobqueue.integrations.django.database import conninfo
from jobqueue.store import migrations


class Command(BaseCommand):
    """Bring the schema `jobqueue` of one of Django's databases up to date."""

    help = "Bring the schema 'jobqueue' of a database up to date."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the database, and whether only to look."""
        parser.add_argument("--database", default="default", help="alias in DATABASES")
        parser.add_argument(
            "--check", action="store_true", help="change nothing; exit 4 if it is behind"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401, ARG002 - Django's shape
        """Migrate, or say what is to be run."""
        url = conninfo(options["database"])
        out: Any = self.stdout
        errors: Any = self.stderr
        position = migrations.position(url)
        if not position.behind:
            out.write(f"schema: up to date, at {position.current}")
        elif options["check"]:
            pending = ", ".join(position.pending)
            errors.write(f"schema: {pending} to run; run `manage.py jobqueue_migrate`")
            sys.exit(4)
        else:
            migrations.upgrade(url)
            out.write(f"schema: ran {', '.join(position.pending)}")
