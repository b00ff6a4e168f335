"""A person with nothing but psql can enqueue, watch and redrive."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jobqueue.testing import embedded
from tests.conftest import POSTGRES
from tests.store.steps import in_state, show


@pytest.fixture
def psql(database_url):
    """Run one statement with psql and give the lines it prints."""
    if os.environ.get("JOBQUEUE_TEST_DATABASE", "embedded") == "embedded":
        program: Path | str | None = embedded.binary("psql", POSTGRES)
    else:
        program = shutil.which("psql")
    if program is None:
        pytest.skip("psql is not installed here, and the server is not the embedded one")

    def run(statement: str) -> list[str]:
        done = subprocess.run(
            [program, "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-Atc", statement, database_url],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


WATCH = "SELECT state, count(*) FROM jobqueue.all_jobs GROUP BY 1 ORDER BY 1"


def test_jobs_are_enqueued_and_watched(psql):
    [answer] = psql("""SELECT jobqueue.enqueue_v1('send_welcome', '{"user_id": 42}')""")
    assert answer.endswith(",inserted)")
    psql("SELECT jobqueue.enqueue_v1('send_welcome', '{}', delay => '5 minutes')")
    assert psql(WATCH) == ["available|1", "scheduled|1"]


def test_what_is_wrong_with_an_enqueue_is_said_at_the_prompt(psql):
    with pytest.raises(AssertionError, match="a JSON number, not an object; give"):
        psql("SELECT jobqueue.enqueue_v1('send_welcome', '5')")


def test_a_dead_letter_is_looked_into_and_redriven(psql, session):
    job_id = in_state(session, "dead")
    assert psql(WATCH) == ["dead|1"]
    assert psql("SELECT errors -> -1 ->> 'error' FROM jobqueue.dead_letters") == ["ValueError"]
    assert psql(f"SELECT jobqueue.redrive_v1('{job_id}')") == ["t"]
    assert psql(WATCH) == ["available|1"]
    assert show(session, job_id).attempt == 0


def test_all_dead_letters_of_a_queue_are_redriven(psql, session):
    ids = {str(in_state(session, "dead")) for _ in range(3)}
    query = "SELECT id FROM jobqueue.dead_letters WHERE queue = 'default'"
    assert set(psql(f"SELECT jobqueue.redrive_many_v1(ARRAY({query}))")) == ids


def test_a_job_is_cancelled(psql, session):
    job_id = in_state(session, "scheduled")
    assert psql(f"SELECT jobqueue.cancel_v1('{job_id}')") == ["cancelled"]
    assert psql(WATCH) == ["cancelled|1"]
