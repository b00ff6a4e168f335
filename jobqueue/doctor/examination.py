"""Looking at everything in turn; what cannot be looked at does not keep the others from it."""

from __future__ import annotations

from collections.abc import Collection

import psycopg

from jobqueue.core.errors import ConfigurationError, DatabaseUnavailable, SchemaError, one_line
from jobqueue.doctor.check import Check, checks
from jobqueue.doctor.limits import Limits
from jobqueue.doctor.patient import CannotSee, Patient
from jobqueue.doctor.report import Problem, Report, Result, Unseen
from jobqueue.store.database import check_schema, executor


def examine(
    url: str | None,
    *,
    limits: Limits | None = None,
    only: Collection[str] = (),
    skip: Collection[str] = (),
) -> Report:
    """Look at the database at `url`, and at the fleet that works on it. Writes nothing.

    only, skip: names of checks. Those that read our tables are left out where the schema does not
    fit; the check `schema` then says so.
    Raises DatabaseUrlError or DatabaseUnavailable if it cannot be reached, and ConfigurationError
    for a name that no check has.
    """
    chosen = _chosen(only, skip)
    patient = Patient(url, limits or Limits())
    try:
        fits = _schema_fits(patient)
        return Report([_look(one, patient) for one in chosen if fits or not one.needs_schema])
    finally:
        patient.close()


def _chosen(only: Collection[str], skip: Collection[str]) -> list[Check]:
    known = checks()
    for name in (*only, *skip):
        if name not in known:
            raise ConfigurationError(
                f"check {name!r}: there is none of this name; use one of {', '.join(known)}"
            )
    return [one for name, one in known.items() if (not only or name in only) and name not in skip]


def _schema_fits(patient: Patient) -> bool:
    try:
        check_schema(executor(patient.connection))
    except (SchemaError, psycopg.errors.InsufficientPrivilege):
        return False
    return True


def _look(one: Check, patient: Patient) -> Result:
    """Let a check look. Whatever becomes of that, it is a result."""
    problems: list[Problem] = []
    unseen = None
    try:
        problems.extend(one.look(patient))  # those found before an error are kept
    except CannotSee as error:
        unseen = Unseen(error.reason, error.remedy)
    except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable):
        seconds = patient.limits.statement_seconds
        unseen = Unseen(
            f"no answer within {seconds:g} s, or what it reads is locked",
            "# look again when the server is less busy, or allow more with --timeout",
        )
    except psycopg.errors.InsufficientPrivilege as error:
        unseen = Unseen(
            f"this role may not look ({one_line(error)})",
            "jobqueue grants ROLE --for worker  # or look as the owner of the schema",
        )
    except (psycopg.Error, DatabaseUnavailable) as error:
        unseen = Unseen(f"failed ({one_line(error)})", "# look again")
    return Result(one.name, one.why, tuple(problems), unseen)
