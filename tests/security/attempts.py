"""What a role without the right might try: each is one statement, and must be refused."""

from __future__ import annotations

from jobqueue.store.grants import Purpose

TABLES = (
    *("jobs", "job_history", "job_history_default", "dead_letters", "workers", "tasks", "queues"),
    *("processed_ids", "idempotency_keys", "throttles", "schema_version", "alembic_version"),
)

# Arguments and keys, by every way to a column that there is.
READING = [
    "SELECT args FROM jobqueue.jobs",
    "SELECT job FROM jobqueue.jobs AS job",
    "SELECT to_jsonb(job) FROM jobqueue.jobs AS job",
    "SELECT count(args) FROM jobqueue.jobs",
    "SELECT id FROM jobqueue.jobs WHERE args ->> 'password' LIKE 'h%'",
    "SELECT id FROM jobqueue.jobs ORDER BY args",
    "SELECT contested FROM jobqueue.jobs",
    "TABLE jobqueue.dead_letters",
    "SELECT * FROM jobqueue.job_history",
    "SELECT state FROM jobqueue.job_history_default",
    "COPY jobqueue.jobs TO STDOUT",
    "COPY (SELECT args FROM jobqueue.dead_letters) TO STDOUT",
    "SELECT key FROM jobqueue.idempotency_keys",
    "SELECT * FROM jobqueue.throttles",
    "SELECT * FROM jobqueue.processed_ids",
    "SELECT * FROM pg_catalog.pg_statistic",
    "SELECT last_value FROM jobqueue.leases",
    "CREATE TEMPORARY TABLE stolen AS SELECT args FROM jobqueue.jobs",
    "DO $$ BEGIN PERFORM args FROM jobqueue.jobs; END $$",
    "EXPLAIN (ANALYZE) SELECT args FROM jobqueue.jobs",
    "DECLARE c CURSOR WITH HOLD FOR SELECT args FROM jobqueue.jobs",
]

WRITING = [
    *(f"DELETE FROM jobqueue.{table}" for table in TABLES),
    *(f"TRUNCATE jobqueue.{table} CASCADE" for table in TABLES),
    "INSERT INTO jobqueue.queues (name) VALUES ('mine')",
    "INSERT INTO jobqueue.idempotency_keys VALUES ('x', 't', 'k', gen_random_uuid(), now())",
    "INSERT INTO jobqueue.processed_ids VALUES (gen_random_uuid())",
    "INSERT INTO jobqueue.tasks VALUES ('t', 'q', 1, 1)",
    "UPDATE jobqueue.jobs SET state = 'available'",
    "UPDATE jobqueue.tasks SET secrets = '{}'",
    "UPDATE jobqueue.workers SET expires_at = '-infinity'",
    "UPDATE jobqueue.schema_version SET version = 99",
    "UPDATE jobqueue.dead_letters SET args = '{}'",
    "UPDATE jobqueue.dead_jobs SET task = 'mine'",
    "DELETE FROM jobqueue.dead_jobs",
    """MERGE INTO jobqueue.queues USING (SELECT 'q' AS name) AS one ON queues.name = one.name
       WHEN NOT MATCHED THEN INSERT (name) VALUES (one.name)""",
    "COPY jobqueue.queues FROM STDIN",
    "SELECT id FROM jobqueue.jobs FOR UPDATE",
    "SELECT id FROM jobqueue.jobs FOR KEY SHARE",
    "DO $$ BEGIN LOCK TABLE jobqueue.jobs IN ACCESS EXCLUSIVE MODE; END $$",
    "DO $$ BEGIN LOCK TABLE jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE; END $$",
    "SELECT nextval('jobqueue.leases')",
    "SELECT setval('jobqueue.leases', 1)",
]

# What would let a role run code of its own with the rights of others, or take rights.
OWNING = [
    "CREATE TABLE jobqueue.mine (id integer)",
    "CREATE VIEW jobqueue.mine AS SELECT 1",
    "CREATE SEQUENCE jobqueue.mine",
    "CREATE TYPE jobqueue.mine AS (id integer)",
    "CREATE DOMAIN jobqueue.mine AS integer",
    "CREATE FUNCTION jobqueue.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION jobqueue.wake(varchar) RETURNS void LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION jobqueue.wake(queue text) RETURNS void LANGUAGE sql AS ''",
    "CREATE OPERATOR jobqueue.> (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
    "CREATE OPERATOR pg_catalog.@@@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
    "CREATE CAST (text AS jsonb) WITH INOUT AS IMPLICIT",
    "CREATE SCHEMA mine",
    """CREATE TRIGGER mine BEFORE INSERT ON jobqueue.jobs
       FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()""",
    """CREATE TRIGGER mine INSTEAD OF INSERT ON jobqueue.all_jobs
       FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()""",
    "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION jobqueue.wake()",
    "CREATE RULE mine AS ON INSERT TO jobqueue.jobs DO ALSO NOTHING",
    "CREATE POLICY mine ON jobqueue.jobs USING (true)",
    "CREATE INDEX mine ON jobqueue.jobs ((args ->> 'x'))",
    "CREATE STATISTICS jobqueue.mine ON task, queue FROM jobqueue.jobs",
    """CREATE TABLE public.mine PARTITION OF jobqueue.job_history
       FOR VALUES FROM ('1999-01-01') TO ('1999-01-02')""",
    "ALTER TABLE jobqueue.job_history DETACH PARTITION jobqueue.job_history_default",
    "CREATE TEMPORARY TABLE mine () INHERITS (jobqueue.dead_letters)",
    "ALTER TABLE jobqueue.jobs ALTER COLUMN priority SET DEFAULT 1",
    "ALTER TABLE jobqueue.jobs ADD COLUMN mine integer DEFAULT 1",
    "ALTER TABLE jobqueue.jobs ADD CHECK (length(task) < 9)",
    "ALTER TABLE jobqueue.jobs DISABLE TRIGGER ALL",
    "ALTER TABLE jobqueue.jobs ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE jobqueue.jobs SET SCHEMA public",
    "ALTER VIEW jobqueue.all_jobs SET (security_invoker = true)",
    "ALTER FUNCTION jobqueue.redact OWNER TO CURRENT_USER",
    "ALTER FUNCTION jobqueue.redact SECURITY INVOKER",
    "ALTER FUNCTION jobqueue.enqueue_v1 RESET search_path",
    "ALTER FUNCTION jobqueue.enqueue_v1 SET search_path = public",
    "ALTER SCHEMA jobqueue OWNER TO CURRENT_USER",
    "ALTER SCHEMA jobqueue RENAME TO mine",
    "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO PUBLIC",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER SYSTEM SET fsync = off",
    "DROP SCHEMA jobqueue CASCADE",
    "DROP TABLE jobqueue.jobs CASCADE",
    "DROP FUNCTION jobqueue.redact CASCADE",
    "DROP TABLE jobqueue.job_history_default",
    "REINDEX TABLE jobqueue.jobs",
    "GRANT pg_read_all_data TO CURRENT_USER",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "SET session_replication_role = replica",
    "COMMENT ON TABLE jobqueue.jobs IS 'mine'",
    "COPY jobqueue.queues TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
]  # fmt: skip

REFUSED: list[tuple[Purpose, str]] = [
    *((Purpose.ENQUEUE, statement) for statement in (*READING, *WRITING, *OWNING)),
    *((Purpose.READ, statement) for statement in (*READING, *WRITING, *OWNING)),
    *((Purpose.WORKER, statement) for statement in OWNING),
]
"""By purpose of the role, and statement."""

# What a role for enqueuing or reading may call though nothing grants it, because it does no harm.
HARMLESS = {
    "uuid_v7": "makes an id",
    "key_hash": "counts",
    "refuse_enqueue": "raises",
    "refuse_args": "raises",
    "refuse_timeout": "raises",
    "task_defaults": "tells a task's queue and numbers; enqueue_bulk asks it",
    "redact": "gives its arguments back, hidden",
    "take_key": "an advisory lock, which anybody may take without it",
    "first_due": "works out a time; a role may not write what it would note",
    "meet_waiting": "says `met` of a job it need not look at; for more a role has no right",
    "wake": "notifies a worker that sleeps; anybody may NOTIFY",
}
GRANTED = {
    Purpose.ENQUEUE: {"enqueue_v1", "enqueue_many_v1", "enqueue_gated_v1"},
    Purpose.READ: set[str](),
}
"""Functions that a role of the purpose has the rights for."""
