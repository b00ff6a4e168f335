"""Behind PgBouncer in transaction mode."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from jobqueue.doctor import examine
from jobqueue.store.database import to_conninfo
from tests.chaos import pooler as poolers
from tests.chaos.pooler import Pooler
from tests.doctor.visit import QUICK, Visit
from tests.waiting import until


@pytest.fixture
def pooled_url(visit: Visit) -> Iterator[str]:
    """URL of the fresh database through a pooler."""
    program = poolers.program()
    if program is None:
        pytest.skip("nothing behind PgBouncer is tested: install the package pgbouncer")
    given = conninfo_to_dict(to_conninfo(visit.url))
    server = {name: str(given[name]) for name in ("host", "user", "dbname") if given.get(name)}
    with tempfile.TemporaryDirectory(prefix="jobqueue-pgbouncer-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # the servers' user has to get in
        pooler = Pooler(
            folder / "pgbouncer", program, server=make_conninfo("", **server), mode="transaction"
        )
        pooler.start(int(given.get("port") or 5432))

        def answers() -> bool:
            try:
                psycopg.connect(pooler.url).close()
            except psycopg.OperationalError:
                return False
            return True

        try:
            until(answers, what=f"PgBouncer answers; see {pooler.log}")
            yield pooler.url
        finally:
            pooler.end()


def test_a_pooler_in_transaction_mode_is_named_until_a_worker_goes_past_it(
    visit: Visit, pooled_url: str
):
    [(name, found)] = examine(pooled_url, limits=QUICK).problems
    assert name == "pooling"
    assert "--direct-url" in found.remedies[0]
    with psycopg.connect(to_conninfo(visit.url, application_name="jobqueue worker listens")):
        report = examine(pooled_url, limits=QUICK)
        assert report.healthy, report


def test_nothing_of_the_doctors_stays_in_the_poolers_sessions(visit: Visit, pooled_url: str):
    examine(pooled_url, limits=QUICK)
    with psycopg.connect(pooled_url, prepare_threshold=None) as connection:
        [row] = connection.execute(
            "SELECT current_setting('statement_timeout'), current_setting('enable_seqscan'), "
            "current_setting('transaction_read_only')"
        )
    assert row == ("0", "on", "off")
