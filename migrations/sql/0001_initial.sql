-- The first schema. Kind: expand.
--
-- Three tables hold a job in turn, so that the one every claim reads stays small:
--   jobs          alive: scheduled, available, running (blocked and waiting: reserved)
--   job_history   completed and cancelled, one partition a day, dropped whole
--   dead_letters  out of attempts, kept until somebody decides
-- The view all_jobs shows the three as one.

-- What the code may expect -------------------------------------------------------------------

-- One row. A release refuses a schema whose version is below the one it was built for, or whose
-- oldest_supported is above it.
CREATE TABLE jobqueue.schema_version (
    version          integer NOT NULL,
    oldest_supported integer NOT NULL,
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row)
);
INSERT INTO jobqueue.schema_version (version, oldest_supported) VALUES (1, 1);

-- Queues, tasks, workers -----------------------------------------------------------------------

CREATE TABLE jobqueue.queues (
    name       text PRIMARY KEY CHECK (name <> '' AND length(name) <= 63),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE jobqueue.queues IS 'queues that a worker has served or will serve';

CREATE TABLE jobqueue.tasks (
    name         text PRIMARY KEY CHECK (name <> '' AND length(name) <= 200),
    queue        text NOT NULL,
    priority     smallint NOT NULL,
    max_attempts smallint NOT NULL CHECK (max_attempts >= 1),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE jobqueue.tasks IS
    'the defaults of each task, written by workers at start, so that SQL enqueues like Python';

CREATE TABLE jobqueue.workers (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    hostname     text NOT NULL,
    pid          integer NOT NULL,
    queues       text[] NOT NULL,
    concurrency  integer NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    sleeping     text[] NOT NULL DEFAULT '{}',
    draining     boolean NOT NULL DEFAULT false
)
-- A heartbeat rewrites the row: leave room on the page, so that it never touches the index.
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
COMMENT ON COLUMN jobqueue.workers.expires_at IS
    'end of the lease on everything this worker runs; moved on by each heartbeat';
COMMENT ON COLUMN jobqueue.workers.sleeping IS
    'queues in which this worker has a free slot and found nothing: enqueue notifies only for these';

-- Jobs -----------------------------------------------------------------------------------------

CREATE SEQUENCE jobqueue.leases AS bigint;

CREATE TABLE jobqueue.jobs (
    id           uuid PRIMARY KEY,
    run_at       timestamptz NOT NULL,
    enqueued_at  timestamptz NOT NULL,
    started_at   timestamptz,
    worker_id    bigint,
    lease        bigint,
    priority     smallint NOT NULL,
    attempt      smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL,
    state        text NOT NULL CHECK (
        state IN ('scheduled', 'available', 'running', 'blocked', 'waiting')),
    queue        text NOT NULL,
    task         text NOT NULL,
    args         jsonb NOT NULL,
    errors       jsonb
)
-- Rows live for seconds here and every one of them dies: vacuum early and at full speed, or claims
-- walk over the dead.
WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.1,
    autovacuum_analyze_threshold = 5000
);
COMMENT ON TABLE jobqueue.jobs IS 'jobs that have not ended; ended ones are in job_history and dead_letters';
COMMENT ON COLUMN jobqueue.jobs.lease IS
    'number of the claim it runs under, never used twice: what came of an older claim changes nothing';
COMMENT ON COLUMN jobqueue.jobs.attempt IS 'attempts begun so far; counted when the job is claimed';
COMMENT ON COLUMN jobqueue.jobs.errors IS 'one object per failed attempt, oldest first';

-- The claim reads this in order. `id` belongs to it: without the last sort column the planner
-- sorts, and a claim costs several times more.
CREATE INDEX jobs_claim ON jobqueue.jobs (queue, priority, run_at, id) WHERE state = 'available';
-- Jobs due later stay out of the claim's way until they are promoted.
CREATE INDEX jobs_scheduled ON jobqueue.jobs (run_at) WHERE state = 'scheduled';

CREATE TABLE jobqueue.job_history (
    id           uuid NOT NULL,
    run_at       timestamptz NOT NULL,
    enqueued_at  timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz NOT NULL,
    worker_id    bigint,
    run_ms       real,
    priority     smallint NOT NULL,
    attempt      smallint NOT NULL,
    max_attempts smallint NOT NULL,
    state        text NOT NULL,
    queue        text NOT NULL,
    task         text NOT NULL,
    args         jsonb NOT NULL,
    errors       jsonb
) PARTITION BY RANGE (finished_at);
CREATE INDEX job_history_id ON jobqueue.job_history (id);
COMMENT ON TABLE jobqueue.job_history IS 'completed and cancelled jobs, one partition a day (UTC)';

-- If no partition was made in time, history lands here and no ack ever fails for want of one.
CREATE TABLE jobqueue.job_history_default PARTITION OF jobqueue.job_history DEFAULT;

CREATE TABLE jobqueue.dead_letters (
    id           uuid PRIMARY KEY,
    run_at       timestamptz NOT NULL,
    enqueued_at  timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz NOT NULL,
    worker_id    bigint,
    priority     smallint NOT NULL,
    attempt      smallint NOT NULL,
    max_attempts smallint NOT NULL,
    queue        text NOT NULL,
    task         text NOT NULL,
    args         jsonb NOT NULL,
    errors       jsonb NOT NULL
);
CREATE INDEX dead_letters_finished_at ON jobqueue.dead_letters (finished_at);
COMMENT ON TABLE jobqueue.dead_letters IS 'jobs that ran out of attempts, with every error; redrive or purge them';

CREATE VIEW jobqueue.all_jobs AS
    SELECT id, task, queue, state, priority, args, attempt, max_attempts, errors,
           enqueued_at, run_at, started_at, NULL::timestamptz AS finished_at, NULL::real AS run_ms,
           worker_id
    FROM jobqueue.jobs
    UNION ALL
    SELECT id, task, queue, state, priority, args, attempt, max_attempts, errors,
           enqueued_at, run_at, started_at, finished_at, run_ms, worker_id
    FROM jobqueue.job_history
    UNION ALL
    SELECT id, task, queue, 'dead', priority, args, attempt, max_attempts, errors,
           enqueued_at, run_at, started_at, finished_at, NULL::real, worker_id
    FROM jobqueue.dead_letters;
COMMENT ON VIEW jobqueue.all_jobs IS 'every job there is: alive, ended and dead';

-- Functions ------------------------------------------------------------------------------------
-- Every name is qualified, and search_path ends with the caller's temporary schema, which would come
-- first if it were not named: no name or type of the caller's can stand in for ours.

-- UUID version 7 (RFC 9562): ordered by time. PostgreSQL 18 has one of its own; before that, the
-- twelve bits after the version carry the microsecond, so that order holds within a millisecond.
DO $install$
BEGIN
    IF current_setting('server_version_num')::integer >= 180000 THEN
        CREATE FUNCTION jobqueue.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
            AS 'SELECT pg_catalog.uuidv7()';
    ELSE
        CREATE FUNCTION jobqueue.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $body$
            SELECT pg_catalog.encode(
                pg_catalog.substr(pg_catalog.int8send(moment.us / 1000), 3)
                || pg_catalog.substr(
                       pg_catalog.int4send((28672 + (moment.us % 1000) * 4096 / 1000)::integer), 3)
                || pg_catalog.substr(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), 9),
                'hex')::uuid
            FROM (
                SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint AS us
            ) AS moment
        $body$;
    END IF;
END
$install$;

-- Wake a worker that sleeps for want of jobs in `queue`; free when none does. NOTIFY takes a lock
-- that makes the commits of the whole instance wait for each other, so nobody pays it for a worker
-- that is busy and will look anyway.
CREATE FUNCTION jobqueue.wake(queue text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF EXISTS (
        SELECT FROM jobqueue.workers AS worker WHERE worker.sleeping @> ARRAY[wake.queue]
    ) THEN
        PERFORM pg_catalog.pg_notify('jobqueue', wake.queue);
    END IF;
END
$body$;

-- Enqueue one job in the caller's transaction.
--   task          name under which a worker registered it
--   args          JSON object: parameter name to value
--   queue, priority, max_attempts
--                 NULL: the task's own defaults, else 'default', 5 and 5
--   run_at, delay not before this moment, or after this while (one of them); NULL: now
--   id            NULL: made here. Repeating an id is harmless, also after the job has ended.
-- Returns the job's id and 'inserted', or 'met' when that id was there already.
CREATE FUNCTION jobqueue.enqueue_v1(
    task text,
    args jsonb DEFAULT '{}',
    queue text DEFAULT NULL,
    priority integer DEFAULT NULL,
    run_at timestamptz DEFAULT NULL,
    delay interval DEFAULT NULL,
    max_attempts integer DEFAULT NULL,
    id uuid DEFAULT NULL,
    OUT job_id uuid,
    OUT outcome text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    SELECT many.job_id, many.outcome
    INTO enqueue_v1.job_id, enqueue_v1.outcome
    FROM jobqueue.enqueue_many_v1(
        enqueue_v1.task,
        pg_catalog.jsonb_build_array(enqueue_v1.args),
        enqueue_v1.queue, enqueue_v1.priority, enqueue_v1.run_at, enqueue_v1.delay,
        enqueue_v1.max_attempts,
        CASE WHEN enqueue_v1.id IS NOT NULL THEN ARRAY[enqueue_v1.id] END
    ) AS many;
END
$body$;

-- Enqueue many jobs of one task in one statement: one for each object in the JSON array `args`, in
-- its order; NULL, which jsonb_agg gives of no rows, is none. `ids`, when given, has as many
-- elements. Otherwise as enqueue_v1.
CREATE FUNCTION jobqueue.enqueue_many_v1(
    task text,
    args jsonb,
    queue text DEFAULT NULL,
    priority integer DEFAULT NULL,
    run_at timestamptz DEFAULT NULL,
    delay interval DEFAULT NULL,
    max_attempts integer DEFAULT NULL,
    ids uuid[] DEFAULT NULL,
    OUT job_id uuid,
    OUT outcome text
)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp ROWS 100 AS $body$
#variable_conflict use_column
DECLARE
    moment timestamptz := pg_catalog.clock_timestamp();
    due timestamptz := coalesce(enqueue_many_v1.run_at, moment + enqueue_many_v1.delay, moment);
    first_state text := CASE WHEN due > moment THEN 'scheduled' ELSE 'available' END;
    to_queue text := enqueue_many_v1.queue;
    at_priority integer := enqueue_many_v1.priority;
    attempts integer := enqueue_many_v1.max_attempts;
    seen integer;
BEGIN
    IF enqueue_many_v1.args IS NULL THEN
        RETURN;
    END IF;
    IF to_queue IS NULL OR at_priority IS NULL OR attempts IS NULL THEN
        SELECT coalesce(to_queue, known.queue), coalesce(at_priority, known.priority),
               coalesce(attempts, known.max_attempts)
        INTO to_queue, at_priority, attempts
        FROM (SELECT) AS one
        LEFT JOIN jobqueue.tasks AS known ON known.name = enqueue_many_v1.task;
        to_queue := coalesce(to_queue, 'default');
        at_priority := coalesce(at_priority, 5);
        attempts := coalesce(attempts, 5);
    END IF;
    PERFORM jobqueue.check_enqueue(
        enqueue_many_v1.task, enqueue_many_v1.args, to_queue, at_priority, attempts,
        enqueue_many_v1.run_at IS NOT NULL AND enqueue_many_v1.delay IS NOT NULL);

    IF enqueue_many_v1.ids IS NULL THEN
        RETURN QUERY
        INSERT INTO jobqueue.jobs (
            id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
        SELECT jobqueue.uuid_v7(), due, moment, at_priority, attempts, first_state, to_queue,
               enqueue_many_v1.task, item.value
        FROM pg_catalog.jsonb_array_elements(enqueue_many_v1.args) AS item
        RETURNING id, 'inserted';
        GET DIAGNOSTICS seen = ROW_COUNT;
    ELSE
        IF pg_catalog.cardinality(enqueue_many_v1.ids) <> pg_catalog.jsonb_array_length(enqueue_many_v1.args) THEN
            RAISE EXCEPTION 'ids: % given for % jobs; give one for each, or none',
                pg_catalog.cardinality(enqueue_many_v1.ids), pg_catalog.jsonb_array_length(enqueue_many_v1.args)
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        -- A client that lost its connection at COMMIT repeats the same ids: whatever became of
        -- the job in the meantime, there is only one.
        RETURN QUERY
        WITH wanted AS (
            SELECT item.id, item.args, item.position
            FROM ROWS FROM (
                pg_catalog.unnest(enqueue_many_v1.ids),
                pg_catalog.jsonb_array_elements(enqueue_many_v1.args)
            ) WITH ORDINALITY AS item (id, args, position)
        ),
        inserted AS (
            INSERT INTO jobqueue.jobs AS job (
                id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
            SELECT wanted.id, due, moment, at_priority, attempts, first_state, to_queue,
                   enqueue_many_v1.task, wanted.args
            FROM wanted
            WHERE NOT EXISTS (SELECT FROM jobqueue.all_jobs AS known WHERE known.id = wanted.id)
            ORDER BY wanted.position
            ON CONFLICT (id) DO NOTHING
            RETURNING job.id
        )
        SELECT wanted.id,
               CASE WHEN inserted.id IS NULL OR pg_catalog.row_number() OVER (
                   PARTITION BY wanted.id ORDER BY wanted.position) > 1
               THEN 'met' ELSE 'inserted' END
        FROM wanted LEFT JOIN inserted ON inserted.id = wanted.id
        ORDER BY wanted.position;
        GET DIAGNOSTICS seen = ROW_COUNT;
    END IF;

    IF seen > 0 AND first_state = 'available' THEN
        PERFORM jobqueue.wake(to_queue);
    END IF;
END
$body$;

-- What enqueue refuses, said so that a person at a psql prompt can mend it.
CREATE FUNCTION jobqueue.check_enqueue(
    task text, args jsonb, queue text, priority integer, max_attempts integer, both_times boolean
) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    -- In bytes, as PostgreSQL stores them; 1 MiB of JSON takes 6 at the most.
    args_limit CONSTANT integer := 8388608;
    problem text;
BEGIN
    problem := CASE
        WHEN task IS NULL OR task = '' OR length(task) > 200
            THEN pg_catalog.format('task %L: a name has 1 to 200 characters', task)
        WHEN queue = '' OR length(queue) > 63
            THEN pg_catalog.format('queue %L: a name has 1 to 63 characters', queue)
        WHEN priority NOT BETWEEN -32768 AND 32767
            THEN pg_catalog.format('priority %s: not between -32768 and 32767', priority)
        WHEN max_attempts NOT BETWEEN 1 AND 32767
            THEN pg_catalog.format('max_attempts %s: not between 1 and 32767', max_attempts)
        WHEN both_times
            THEN 'run_at and delay: both given; give one of them'
        WHEN args IS NULL OR pg_catalog.jsonb_typeof(args) <> 'array'
            THEN 'args: not a JSON array of objects; give one object for each job'
    END;
    IF problem IS NULL THEN
        SELECT CASE
            WHEN pg_catalog.jsonb_typeof(item.value) <> 'object' THEN pg_catalog.format(
                'args of job %s: a JSON %s, not an object; give {"parameter": value}',
                item.position, pg_catalog.jsonb_typeof(item.value))
            ELSE pg_catalog.format(
                'args of job %s: %s bytes, more than %s; store the data in a table and enqueue its key',
                item.position, pg_catalog.pg_column_size(item.value), args_limit)
        END
        INTO problem
        FROM pg_catalog.jsonb_array_elements(args) WITH ORDINALITY AS item (value, position)
        WHERE pg_catalog.jsonb_typeof(item.value) <> 'object'
           OR pg_catalog.pg_column_size(item.value) > args_limit
        LIMIT 1;
    END IF;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$body$;

-- Cancel a job that waits. Returns 'cancelled', or why not: 'running', 'ended', 'unknown'.
CREATE FUNCTION jobqueue.cancel_v1(id uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    found_in text;
BEGIN
    LOOP
        WITH gone AS (
            DELETE FROM jobqueue.jobs AS job
            WHERE job.id = cancel_v1.id AND job.state <> 'running'
            RETURNING job.*
        )
        INSERT INTO jobqueue.job_history (
            id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
            max_attempts, state, queue, task, args, errors)
        SELECT id, run_at, enqueued_at, started_at, pg_catalog.clock_timestamp(), worker_id,
               priority, attempt, max_attempts, 'cancelled', queue, task, args, errors
        FROM gone;
        IF FOUND THEN
            RETURN 'cancelled';
        END IF;
        found_in := (SELECT state FROM jobqueue.all_jobs WHERE id = cancel_v1.id LIMIT 1);
        IF found_in IS NULL THEN
            RETURN 'unknown';
        ELSIF found_in = 'running' THEN
            RETURN 'running';
        ELSIF found_in IN ('completed', 'cancelled', 'dead') THEN
            RETURN 'ended';
        END IF;
        -- It ran when we tried, and waits again now: once more.
    END LOOP;
END
$body$;

-- Put dead letters back: fresh attempts, their past errors kept. Returns the ids that came back.
CREATE FUNCTION jobqueue.redrive_many_v1(ids uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp ROWS 100 AS $body$
#variable_conflict use_column
DECLARE
    woken text;
BEGIN
    RETURN QUERY
    WITH back AS (
        DELETE FROM jobqueue.dead_letters AS dead
        WHERE dead.id = ANY (redrive_many_v1.ids)
        RETURNING dead.*
    )
    INSERT INTO jobqueue.jobs (
        id, run_at, enqueued_at, priority, attempt, max_attempts, state, queue, task, args, errors)
    SELECT id, pg_catalog.clock_timestamp(), enqueued_at, priority, 0, max_attempts, 'available',
           queue, task, args, errors
    FROM back
    RETURNING id;
    FOR woken IN
        SELECT DISTINCT queue FROM jobqueue.jobs WHERE id = ANY (redrive_many_v1.ids)
    LOOP
        PERFORM jobqueue.wake(woken);
    END LOOP;
END
$body$;

-- Put one dead letter back. True when it was there.
CREATE FUNCTION jobqueue.redrive_v1(id uuid) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT EXISTS (SELECT FROM jobqueue.redrive_many_v1(ARRAY[redrive_v1.id]))
$body$;

-- Make a waiting job run now, or put a dead one back. Returns 'available', 'redriven', or why not:
-- 'running', 'blocked', 'waiting', 'ended', 'unknown'.
CREATE FUNCTION jobqueue.retry_v1(id uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    to_queue text;
    found_in text;
BEGIN
    LOOP
        UPDATE jobqueue.jobs AS job
        SET state = 'available', run_at = pg_catalog.clock_timestamp()
        WHERE job.id = retry_v1.id AND job.state = 'scheduled'
        RETURNING job.queue INTO to_queue;
        IF FOUND THEN
            PERFORM jobqueue.wake(to_queue);
            RETURN 'available';
        END IF;
        IF jobqueue.redrive_v1(retry_v1.id) THEN
            RETURN 'redriven';
        END IF;
        found_in := (SELECT state FROM jobqueue.all_jobs WHERE id = retry_v1.id LIMIT 1);
        IF found_in IS NULL THEN
            RETURN 'unknown';
        ELSIF found_in IN ('available', 'running', 'blocked', 'waiting') THEN
            RETURN found_in;
        ELSIF found_in IN ('completed', 'cancelled') THEN
            RETURN 'ended';
        END IF;
        -- It became what we look for between our looks: once more.
    END LOOP;
END
$body$;

-- Make the history partitions of today (UTC) and the `days` after it. Rows that had to go to the
-- default partition meanwhile are moved to the day they belong to. Returns how many were made.
-- Moments are written into statements here, so how they are written must not be the session's choice.
CREATE FUNCTION jobqueue.make_history_partitions(days integer DEFAULT 7) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO'
SET lock_timeout = '200ms' AS $body$
DECLARE
    made integer := 0;
    first_moment timestamptz;
    next_moment timestamptz;
    partition text;
BEGIN
    FOR ahead IN 0..days LOOP
        first_moment := (pg_catalog.date_trunc('day', now() AT TIME ZONE 'UTC')
            + pg_catalog.make_interval(days => ahead)) AT TIME ZONE 'UTC';
        next_moment := first_moment + interval '24 hours';
        partition := 'job_history_' || pg_catalog.to_char(first_moment AT TIME ZONE 'UTC', 'YYYYMMDD');
        CONTINUE WHEN pg_catalog.to_regclass('jobqueue.' || partition) IS NOT NULL;
        EXECUTE pg_catalog.format(
            'CREATE TABLE jobqueue.%I (LIKE jobqueue.job_history INCLUDING DEFAULTS INCLUDING STORAGE)',
            partition);
        EXECUTE pg_catalog.format(
            'WITH late AS (DELETE FROM jobqueue.job_history_default
                           WHERE finished_at >= %L AND finished_at < %L RETURNING *)
             INSERT INTO jobqueue.%I SELECT * FROM late',
            first_moment, next_moment, partition);
        EXECUTE pg_catalog.format(
            'ALTER TABLE jobqueue.job_history ATTACH PARTITION jobqueue.%I FOR VALUES FROM (%L) TO (%L)',
            partition, first_moment, next_moment);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$body$;

-- Drop the history partitions of days that ended before `before`. Returns how many were dropped.
-- While one is waited for, every ack waits behind it: so not for long, but again later.
CREATE FUNCTION jobqueue.drop_history_partitions(before timestamptz) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO'
SET lock_timeout = '200ms' AS $body$
DECLARE
    dropped integer := 0;
    partition text;
BEGIN
    FOR partition IN
        SELECT child.relname
        FROM pg_catalog.pg_inherits AS link
        JOIN pg_catalog.pg_class AS child ON child.oid = link.inhrelid
        WHERE link.inhparent = 'jobqueue.job_history'::regclass
          AND child.relname ~ '^job_history_[0-9]{8}$'
          AND (pg_catalog.to_date(pg_catalog.right(child.relname, 8), 'YYYYMMDD') + 1)::timestamp
              AT TIME ZONE 'UTC' <= drop_history_partitions.before
        ORDER BY 1
    LOOP
        EXECUTE pg_catalog.format('DROP TABLE jobqueue.%I', partition);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM jobqueue.job_history_default WHERE finished_at < drop_history_partitions.before;
    RETURN dropped;
END
$body$;

SELECT jobqueue.make_history_partitions();
