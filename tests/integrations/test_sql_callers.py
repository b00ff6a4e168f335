"""Enqueue without Python: a trigger, and Node's `pg`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from jobqueue.store.database import to_conninfo
from jobqueue.store.grants import Purpose
from tests.store.roles import connected_as
from tests.worker.books import Books

TRIGGER = """
CREATE TABLE orders (id integer PRIMARY KEY, customer text NOT NULL);
CREATE FUNCTION order_placed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM jobqueue.enqueue_v1(
        'send_receipt', jsonb_build_object('order_id', NEW.id),
        idempotency_key => 'receipt ' || NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER order_placed AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION order_placed();
"""

NODE = """
const { Client } = require('pg');
const enqueue = `SELECT job_id, outcome FROM jobqueue.enqueue_v1($1, $2, unique_key => $3)`;

(async () => {
  const client = new Client(JSON.parse(process.env.DATABASE));
  await client.connect();
  const answers = [];
  for (const end of ['ROLLBACK', 'COMMIT']) {
    await client.query('BEGIN');
    await client.query('INSERT INTO orders (id, customer) VALUES ($1, $2)', [7, 'ann']);
    for (const _ of [1, 2]) {
      const { rows } = await client.query(enqueue, ['greet', { name: 'ünï' }, 'k']);
      answers.push(rows[0]);
    }
    await client.query(end);
  }
  await client.end();
  console.log(JSON.stringify(answers));
})().catch((error) => { console.error(error); process.exit(1); });
"""


def order_jobs(books: Books) -> list[int]:
    query = "SELECT (args ->> 'order_id')::integer FROM jobqueue.jobs ORDER BY 1"
    return [number for (number,) in books.rows(query)]


def test_a_trigger_enqueues_with_the_row_and_not_without_it(books: Books) -> None:
    books.rows(TRIGGER)
    books.rows("INSERT INTO orders VALUES (1, 'ann'), (2, 'bob')")
    with psycopg.connect(to_conninfo(books.url)) as connection:
        connection.execute("INSERT INTO orders VALUES (3, 'eve')")
        connection.rollback()
        connection.execute("INSERT INTO orders VALUES (4, 'eve')")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute("INSERT INTO orders VALUES (5, 'x'), (1, 'x')")
        connection.commit()
    assert order_jobs(books) == [1, 2, 4]


def test_a_trigger_enqueues_for_a_role_that_may_only_enqueue(books: Books) -> None:
    books.rows(TRIGGER)
    with connected_as(books.url, Purpose.ENQUEUE) as shop:
        books.rows(f'GRANT INSERT ON orders TO "{shop.info.user}"')
        shop.execute("INSERT INTO orders VALUES (1, 'ann')")
    assert order_jobs(books) == [1]


@pytest.fixture(scope="session")
def node_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"the program {program!r} is not installed")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"name": "shop", "private": true}')
    done = subprocess.run(
        ["npm", "install", "pg", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"npm could not install the package 'pg': {done.stderr.strip()[-300:]}")
    (folder / "shop.js").write_text(NODE)
    return folder


def test_node_enqueues_in_its_transaction_and_takes_it_back(
    books: Books, node_project: Path
) -> None:
    books.rows("CREATE TABLE orders (id integer PRIMARY KEY, customer text NOT NULL)")
    given = conninfo_to_dict(to_conninfo(books.url))
    names = {"host": "host", "port": "port", "user": "user", "password": "password"}
    settings = {name: given[key] for key, name in names.items() if given.get(key)}
    done = subprocess.run(
        ["node", "shop.js"],
        cwd=node_project,
        env={
            "PATH": str(Path(shutil.which("node") or "").parent),
            "DATABASE": json.dumps({**settings, "database": given["dbname"]}),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [answer["outcome"] for answer in answers] == ["inserted", "met"] * 2
    assert answers[0]["job_id"] == answers[1]["job_id"] != answers[2]["job_id"]
    [(job_id, args)] = books.rows("SELECT id::text, args FROM jobqueue.jobs")
    assert (job_id, args) == (answers[3]["job_id"], {"name": "ünï"})
    assert books.value("SELECT count(*) FROM orders") == 1
