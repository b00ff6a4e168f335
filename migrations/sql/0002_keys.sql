-- Idempotency keys, unique keys and processed ids. Kind: expand.
--
-- The enqueue functions gain parameters with defaults: what called them before calls them still.

-- Everything at once, first, and in the order in which enqueues, acks and readers of the view take
-- their locks: what goes on meanwhile waits. A lock that is not had soon is given up and tried again.
LOCK TABLE jobqueue.tasks, jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;

UPDATE jobqueue.schema_version SET version = 2;

ALTER TABLE jobqueue.jobs
    ADD COLUMN unique_key text,
    ADD COLUMN unique_hash bytea,
    ADD COLUMN unique_asked timestamptz,
    ADD COLUMN contested jsonb;
COMMENT ON COLUMN jobqueue.jobs.unique_key IS
    'key of a job that waits; given up when it is claimed, so that a retry never meets it';
COMMENT ON COLUMN jobqueue.jobs.unique_asked IS
    'when the last enqueue was made that replaced this job; older ones no longer change it';
COMMENT ON COLUMN jobqueue.jobs.contested IS
    'keys another open transaction held: settled by the leader, blocked until then';
CREATE UNIQUE INDEX jobs_unique ON jobqueue.jobs (unique_hash) WHERE unique_hash IS NOT NULL;
CREATE INDEX jobs_contested ON jobqueue.jobs (id) WHERE contested IS NOT NULL;

-- Where a worker's pid means something: a worker that starts there sees which others have died.
ALTER TABLE jobqueue.workers ADD COLUMN home text NOT NULL DEFAULT '';
COMMENT ON COLUMN jobqueue.workers.home IS
    'start of the machine and process namespace in which pid is this worker; empty if not known';

-- A key here makes a second enqueue a no-op until the retention ends, also after completion.
CREATE TABLE jobqueue.idempotency_keys (
    hash       bytea PRIMARY KEY,
    task       text NOT NULL,
    key        text NOT NULL,
    job_id     uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_expires_at ON jobqueue.idempotency_keys (expires_at);

-- When the next job of a throttled key may start.
CREATE TABLE jobqueue.throttles (
    hash     bytea PRIMARY KEY,
    opens_at timestamptz NOT NULL
);
CREATE INDEX throttles_opens_at ON jobqueue.throttles (opens_at);

-- Jobs whose effects were committed together with this row: a second delivery changes nothing.
CREATE TABLE jobqueue.processed_ids (
    job_id       uuid PRIMARY KEY,
    processed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX processed_ids_processed_at ON jobqueue.processed_ids (processed_at);

-- Which arguments are secret, so that whatever shows a job can hide them.
ALTER TABLE jobqueue.tasks ADD COLUMN secrets text[] NOT NULL DEFAULT '{}';

-- Arguments fit to be shown: secret ones hidden, and all those of a task that no worker has entered
-- yet, for nobody knows which of them are secret.
CREATE FUNCTION jobqueue.redact(task text, args jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT CASE WHEN pg_catalog.jsonb_typeof(redact.args) = 'object'
        THEN redact.args || coalesce((
            SELECT pg_catalog.jsonb_object_agg(given.name, '[redacted]')
            FROM pg_catalog.jsonb_object_keys(redact.args) AS given (name)
            LEFT JOIN jobqueue.tasks AS known ON known.name = redact.task
            WHERE known.name IS NULL OR given.name = ANY (known.secrets)
        ), '{}')
        ELSE '"[redacted]"'  -- inserted by hand, and no job that could run
    END
$body$;

-- Keys -----------------------------------------------------------------------------------------

-- What a key is filed under: of one task, of one kind, of any length.
CREATE FUNCTION jobqueue.key_hash(kind text, task text, key text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $body$
    SELECT pg_catalog.sha256(pg_catalog.convert_to(
        pg_catalog.concat(kind, ':', pg_catalog.length(task), ':', task, ':', key), 'UTF8'))
$body$;

-- Take the right to decide about a key until the transaction ends. False: another transaction has
-- it, and waiting for that one might be a deadlock. Keys are waited for in one order only, that of
-- their numbers, so that no two transactions can wait for each other.
CREATE FUNCTION jobqueue.take_key(hash bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    -- Each taken key is an entry in a lock table that all sessions share.
    most_keys CONSTANT integer := 500;
    -- In the order of the hashes, which is the order in which enqueue_many_v1 takes them.
    number bigint :=
        ('x' || pg_catalog.encode(pg_catalog.substr(hash, 1, 7), 'hex'))::bit(56)::bigint;
    highest bigint := nullif(pg_catalog.current_setting('jobqueue.highest_key', true), '');
    taken integer := coalesce(nullif(pg_catalog.current_setting('jobqueue.keys_taken', true), ''), '0');
BEGIN
    IF taken >= most_keys THEN
        RETURN false;  -- as contested: to go on without the lock could be a deadlock
    END IF;
    IF NOT pg_catalog.pg_try_advisory_xact_lock(number) THEN
        IF number <= highest THEN
            RETURN false;
        END IF;
        PERFORM pg_catalog.pg_advisory_xact_lock(number);
    END IF;
    PERFORM pg_catalog.set_config('jobqueue.highest_key', greatest(number, highest)::text, true),
            pg_catalog.set_config('jobqueue.keys_taken', (taken + 1)::text, true);
    RETURN true;
END
$body$;

-- An enqueue with an id or keys of the caller's own, its defaults filled in and checked.
CREATE TYPE jobqueue.keyed_job AS (
    id uuid,
    repeated boolean,  -- the caller's own id, perhaps not for the first time
    task text,
    args jsonb,
    queue text,
    priority integer,
    max_attempts integer,
    due timestamptz,
    enqueued_at timestamptz,
    settling boolean,  -- it was contested, and others may have enqueued since
    idempotency_key text,
    idempotency_retention interval,
    unique_key text,
    unique_mode text,
    unique_window interval
);

-- The job that an enqueue's idempotency key meets; NULL if the key is now its own. Contested: another
-- transaction is deciding about that key.
CREATE FUNCTION jobqueue.meet_once(
    job jobqueue.keyed_job, key_hash bytea, OUT met_id uuid, OUT contested boolean
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    moment timestamptz := pg_catalog.clock_timestamp();
BEGIN
    contested := false;
    SELECT known.job_id INTO met_id FROM jobqueue.idempotency_keys AS known
    WHERE known.hash = key_hash AND known.expires_at > moment;
    IF NOT FOUND THEN
        contested := NOT jobqueue.take_key(key_hash);
        IF contested THEN
            RETURN;
        END IF;
        INSERT INTO jobqueue.idempotency_keys AS known (hash, task, key, job_id, expires_at)
        VALUES (key_hash, job.task, job.idempotency_key, job.id,
                moment + job.idempotency_retention)
        ON CONFLICT (hash) DO UPDATE
        SET job_id = excluded.job_id, expires_at = excluded.expires_at
        WHERE known.expires_at <= moment;
        IF NOT FOUND THEN
            SELECT known.job_id INTO met_id FROM jobqueue.idempotency_keys AS known
            WHERE known.hash = key_hash;
        END IF;
    END IF;
    -- A contested job that took this key itself when it was enqueued does not meet itself.
    IF met_id = job.id AND NOT job.repeated THEN
        met_id := NULL;
    END IF;
END
$body$;

-- The job that waits under a unique key, locked until the caller commits; NULL if none does, and then
-- the key is the caller's. Contested: it cannot be said without waiting for another transaction, and
-- that one may be waiting for us.
CREATE FUNCTION jobqueue.find_waiting(
    key_hash bytea, mode text, OUT waiting_id uuid, OUT contested boolean
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    -- Most likely a claim has the job locked, and no claim takes long.
    looks CONSTANT integer := 10;
    its_state text;
BEGIN
    contested := false;
    FOR look IN 0 .. looks LOOP
        -- Shared is enough for skip: the job it met must not start before the caller commits, or it
        -- would not see what the caller wrote.
        IF mode = 'skip' THEN
            SELECT job.id, job.state INTO waiting_id, its_state FROM jobqueue.jobs AS job
            WHERE job.unique_hash = key_hash FOR SHARE SKIP LOCKED;
        ELSIF look > 0 THEN
            SELECT job.id, job.state INTO waiting_id, its_state FROM jobqueue.jobs AS job
            WHERE job.unique_hash = key_hash FOR UPDATE SKIP LOCKED;
        END IF;
        IF its_state = 'running' THEN
            -- A worker of an older release leaves the key with a job it claims.
            UPDATE jobqueue.jobs AS job SET unique_key = NULL, unique_hash = NULL
            WHERE job.id = waiting_id;
            waiting_id := NULL;
            its_state := NULL;
        END IF;
        IF waiting_id IS NOT NULL THEN
            RETURN;
        END IF;
        -- The first look of skip is without the key: many may meet one job at once.
        IF look = 0 THEN
            contested := NOT jobqueue.take_key(key_hash);
            IF contested THEN
                RETURN;
            END IF;
        ELSIF NOT EXISTS (SELECT FROM jobqueue.jobs AS job WHERE job.unique_hash = key_hash) THEN
            RETURN;
        ELSE
            PERFORM pg_catalog.pg_sleep(0.002);
        END IF;
    END LOOP;
    contested := true;
END
$body$;

-- What an enqueue does to the job that waits under its key: 'met', or 'replaced'.
CREATE FUNCTION jobqueue.meet_waiting(job jobqueue.keyed_job, waiting_id uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    waiting jobqueue.jobs;
    at_time timestamptz;
    due_now boolean;
BEGIN
    IF job.unique_mode = 'skip' THEN
        RETURN 'met';
    END IF;
    SELECT * INTO waiting FROM jobqueue.jobs AS one WHERE one.id = waiting_id;
    IF job.settling AND coalesce(waiting.unique_asked, waiting.enqueued_at) > job.enqueued_at THEN
        RETURN 'met';  -- something newer was asked for since
    END IF;
    at_time := CASE job.unique_mode
        WHEN 'debounce' THEN least(job.due, waiting.enqueued_at + job.unique_window)
        WHEN 'throttle' THEN waiting.run_at
        ELSE job.due
    END;
    due_now := at_time <= pg_catalog.clock_timestamp();
    UPDATE jobqueue.jobs AS one
    SET args = job.args, queue = job.queue, priority = job.priority,
        max_attempts = job.max_attempts, run_at = at_time,
        unique_asked = CASE WHEN job.settling THEN job.enqueued_at
                            ELSE pg_catalog.clock_timestamp() END,
        state = CASE WHEN due_now THEN 'available' ELSE 'scheduled' END
    WHERE one.id = waiting_id;
    IF due_now THEN
        PERFORM jobqueue.wake(job.queue);
    END IF;
    RETURN 'replaced';
END
$body$;

-- When a job that is the first to wait under its key is due.
CREATE FUNCTION jobqueue.first_due(job jobqueue.keyed_job, key_hash bytea) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    at_time timestamptz := job.due;
BEGIN
    IF job.unique_mode = 'debounce' THEN
        at_time := least(at_time, job.enqueued_at + job.unique_window);
    ELSIF job.unique_mode = 'throttle' THEN
        SELECT greatest(at_time, throttle.opens_at) INTO at_time
        FROM (SELECT) AS one
        LEFT JOIN jobqueue.throttles AS throttle ON throttle.hash = key_hash;
        INSERT INTO jobqueue.throttles AS throttle (hash, opens_at)
        VALUES (key_hash, least(at_time + job.unique_window, '9999-12-30 00:00:00+00'))
        ON CONFLICT (hash) DO UPDATE SET opens_at = excluded.opens_at;
    END IF;
    RETURN at_time;
END
$body$;

-- One enqueue with an id or keys of the caller's own. What cannot be decided now is contested, and
-- settled by the leader as soon as it can be. It waits for no key another transaction has taken, but
-- for its own id it does: two callers that repeat each other's ids do so in the same order.
CREATE FUNCTION jobqueue.enqueue_keyed(
    job jobqueue.keyed_job, OUT job_id uuid, OUT outcome text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    once_hash bytea := jobqueue.key_hash('idempotency', job.task, job.idempotency_key);
    one_hash bytea := jobqueue.key_hash('unique', job.task, job.unique_key);
    contested boolean := false;
    met_id uuid;
BEGIN
    job_id := job.id;
    outcome := 'inserted';

    -- 1. The same id again: whatever became of the job in the meantime, there is only one.
    IF job.repeated AND EXISTS (SELECT FROM jobqueue.all_jobs AS known WHERE known.id = job.id) THEN
        outcome := 'met';
        RETURN;
    END IF;

    -- 2. The same key again, within its retention.
    IF once_hash IS NOT NULL THEN
        SELECT once.met_id, once.contested INTO met_id, contested
        FROM jobqueue.meet_once(job, once_hash) AS once;
        IF met_id IS NOT NULL THEN
            job_id := met_id;
            outcome := 'met';
            RETURN;
        END IF;
    END IF;

    -- 3. A job with this key that still waits.
    IF one_hash IS NOT NULL AND NOT contested THEN
        SELECT found.waiting_id, found.contested INTO met_id, contested
        FROM jobqueue.find_waiting(one_hash, job.unique_mode) AS found;
        IF met_id IS NOT NULL THEN
            UPDATE jobqueue.idempotency_keys AS known SET job_id = met_id
            WHERE known.hash = once_hash;
            job_id := met_id;
            outcome := jobqueue.meet_waiting(job, met_id);
            RETURN;
        ELSIF NOT contested THEN
            job.due := jobqueue.first_due(job, one_hash);
        END IF;
    END IF;

    -- 4. None of these: it is new.
    IF NOT jobqueue.insert_keyed(job, one_hash, contested) THEN
        -- The same id or key, committed since we looked. Look again.
        SELECT again.job_id, again.outcome INTO enqueue_keyed.job_id, enqueue_keyed.outcome
        FROM jobqueue.enqueue_keyed(job) AS again;
    ELSIF job.repeated AND (
        EXISTS (SELECT FROM jobqueue.job_history AS past WHERE past.id = job.id)
        OR EXISTS (SELECT FROM jobqueue.dead_letters AS dead WHERE dead.id = job.id))
    THEN
        -- Enqueued and ended by others since we looked.
        DELETE FROM jobqueue.jobs AS one WHERE one.id = job.id;
        outcome := 'met';
    END IF;
END
$body$;

-- Insert a job under its key, or as what the leader is to settle. False: its id or key is there.
CREATE FUNCTION jobqueue.insert_keyed(
    job jobqueue.keyed_job, key_hash bytea, contested boolean
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    due_now boolean := job.due <= pg_catalog.clock_timestamp();
BEGIN
    INSERT INTO jobqueue.jobs (
        id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args,
        unique_key, unique_hash, contested)
    VALUES (
        job.id, job.due, job.enqueued_at, job.priority, job.max_attempts,
        CASE WHEN insert_keyed.contested THEN 'blocked'
             WHEN due_now THEN 'available'
             ELSE 'scheduled' END,
        job.queue, job.task, job.args,
        CASE WHEN NOT insert_keyed.contested THEN job.unique_key END,
        CASE WHEN NOT insert_keyed.contested THEN key_hash END,
        CASE WHEN insert_keyed.contested THEN pg_catalog.jsonb_build_object(
            'idempotency_key', job.idempotency_key,
            'idempotency_retention', job.idempotency_retention,
            'unique_key', job.unique_key,
            'unique_mode', job.unique_mode,
            'unique_window', job.unique_window) END)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF due_now AND NOT insert_keyed.contested THEN
        PERFORM jobqueue.wake(job.queue);
    END IF;
    RETURN true;
END
$body$;

-- Decide about jobs whose keys another transaction held when they were enqueued, at most `most` of
-- them. Waits for nobody: what still cannot be decided stays. Returns how many were decided.
CREATE FUNCTION jobqueue.settle_contested(most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    job jobqueue.jobs;
    answer record;
    unusable text;
    settled integer := 0;
BEGIN
    PERFORM pg_catalog.set_config('jobqueue.highest_key', '9223372036854775807', true);
    FOR job IN
        SELECT * FROM jobqueue.jobs AS one WHERE one.contested IS NOT NULL
        ORDER BY one.id LIMIT most FOR UPDATE SKIP LOCKED
    LOOP
        unusable := NULL;
        BEGIN
            DELETE FROM jobqueue.jobs AS one WHERE one.id = job.id;
            SELECT * INTO answer FROM jobqueue.enqueue_keyed(ROW(
                job.id, false, job.task, job.args, job.queue, job.priority, job.max_attempts,
                job.run_at, job.enqueued_at, true,
                job.contested ->> 'idempotency_key',
                (job.contested ->> 'idempotency_retention')::interval,
                job.contested ->> 'unique_key',
                job.contested ->> 'unique_mode',
                (job.contested ->> 'unique_window')::interval)::jobqueue.keyed_job);
        EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
            -- What it asks for cannot be had: that must not keep all the others waiting.
            unusable := SQLERRM;
            DELETE FROM jobqueue.jobs AS one WHERE one.id = job.id;
        END;
        IF unusable IS NOT NULL OR answer.outcome <> 'inserted' THEN
            INSERT INTO jobqueue.job_history (
                id, run_at, enqueued_at, finished_at, priority, attempt, max_attempts, state, queue,
                task, args, errors)
            VALUES (
                job.id, job.run_at, job.enqueued_at, pg_catalog.clock_timestamp(), job.priority, 0,
                job.max_attempts, 'cancelled', job.queue, job.task, job.args,
                pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
                    'error', CASE WHEN unusable IS NULL THEN 'Duplicate' ELSE 'UnusableKey' END,
                    'message', coalesce(
                        unusable, pg_catalog.format('its key was taken by job %s', answer.job_id)),
                    'failed_at', pg_catalog.clock_timestamp())));
        END IF;
        settled := settled + (
            NOT EXISTS (SELECT FROM jobqueue.jobs AS one
                        WHERE one.id = job.id AND one.contested IS NOT NULL))::integer;
    END LOOP;
    RETURN settled;
END
$body$;

-- Forget keys whose time is over, and ids processed before `before`, at most `most` of each: a small
-- step. Returns how many rows went.
CREATE FUNCTION jobqueue.prune_keys(before timestamptz, most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    gone integer;
    total integer := 0;
BEGIN
    DELETE FROM jobqueue.processed_ids WHERE job_id = ANY (ARRAY(
        SELECT old.job_id FROM jobqueue.processed_ids AS old
        WHERE old.processed_at < before ORDER BY old.processed_at LIMIT most
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;
    total := total + gone;
    DELETE FROM jobqueue.idempotency_keys WHERE hash = ANY (ARRAY(
        SELECT old.hash FROM jobqueue.idempotency_keys AS old
        WHERE old.expires_at <= now() ORDER BY old.expires_at LIMIT most
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;
    total := total + gone;
    DELETE FROM jobqueue.throttles WHERE hash = ANY (ARRAY(
        SELECT old.hash FROM jobqueue.throttles AS old
        WHERE old.opens_at <= now() ORDER BY old.opens_at LIMIT most
        FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN total + gone;
END
$body$;

-- Enqueue --------------------------------------------------------------------------------------

-- A task's own defaults, for what the caller left open.
CREATE FUNCTION jobqueue.task_defaults(
    task text, INOUT queue text, INOUT priority integer, INOUT max_attempts integer
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    known record;
BEGIN
    SELECT one.queue, one.priority, one.max_attempts INTO known
    FROM jobqueue.tasks AS one WHERE one.name = task_defaults.task;
    queue := coalesce(task_defaults.queue, known.queue, 'default');
    priority := coalesce(task_defaults.priority, known.priority, 5);
    max_attempts := coalesce(task_defaults.max_attempts, known.max_attempts, 5);
END
$body$;

DROP FUNCTION jobqueue.enqueue_v1, jobqueue.enqueue_many_v1, jobqueue.check_enqueue;

-- What enqueue refuses, said so that a person at a psql prompt can mend it.
CREATE FUNCTION jobqueue.refuse_enqueue(
    task text, queue text, priority integer, max_attempts integer, both_times boolean,
    due timestamptz, idempotency_retention interval, unique_mode text, unique_window interval
) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    problem text := CASE
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
        WHEN idempotency_retention IS NULL
            THEN 'idempotency_retention: NULL; leave it out for 30 days'
        WHEN unique_mode IS NULL OR unique_mode NOT IN ('skip', 'replace', 'debounce', 'throttle')
            THEN pg_catalog.format(
                'unique_mode %L: unknown; use skip, replace, debounce or throttle', unique_mode)
        WHEN unique_mode IN ('debounce', 'throttle') AND unique_window IS NULL
            THEN pg_catalog.format('unique_mode %L: needs unique_window', unique_mode)
        WHEN due NOT BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00'
            THEN pg_catalog.format('due at %L: not within the years 1 to 9999', due)
        WHEN idempotency_retention NOT BETWEEN '0' AND '1100 years'
            THEN pg_catalog.format(
                'idempotency_retention %L: not between nothing and 1,000 years', idempotency_retention)
        WHEN unique_window NOT BETWEEN '0' AND '1100 years'
            THEN pg_catalog.format('unique_window %L: not between nothing and 1,000 years', unique_window)
    END;
BEGIN
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$body$;

CREATE FUNCTION jobqueue.refuse_args(args jsonb, item bigint) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF args IS NULL OR pg_catalog.jsonb_typeof(args) <> 'object' THEN
        RAISE EXCEPTION 'args of job %: a JSON %, not an object; give {"parameter": value}',
            item, coalesce(pg_catalog.jsonb_typeof(args), 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RAISE EXCEPTION 'args of job %: % bytes, more than 8388608; store the data in a table and enqueue its key',
        item, pg_catalog.pg_column_size(args)
        USING ERRCODE = 'invalid_parameter_value';
END
$body$;

-- Enqueue one job in the caller's transaction.
--   task          name under which a worker registered it
--   args          JSON object: parameter name to value
--   queue, priority, max_attempts
--                 NULL: the task's own defaults, else 'default', 5 and 5
--   run_at, delay not before this moment, or after this while (one of them); NULL: now
--   id            NULL: made here. Repeating an id is harmless, also after the job has ended.
--   idempotency_key, idempotency_retention
--                 the same key of the same task again within the retention changes nothing
--   unique_key, unique_mode, unique_window
--                 while a job of this task with this key waits, another is not made:
--                 skip      keeps the one that waits
--                 replace   gives it these arguments, options and time
--                 debounce  the same, and with its new time, but at most unique_window after it
--                           was first enqueued
--                 throttle  keeps its time, with these arguments; at most one starts per
--                           unique_window
-- Returns the job's id and what became of it: 'inserted', 'met' (it was there and is as it was) or
-- 'replaced' (it was there and is as you asked).
CREATE FUNCTION jobqueue.enqueue_v1(
    task text,
    args jsonb DEFAULT '{}',
    queue text DEFAULT NULL,
    priority integer DEFAULT NULL,
    run_at timestamptz DEFAULT NULL,
    delay interval DEFAULT NULL,
    max_attempts integer DEFAULT NULL,
    id uuid DEFAULT NULL,
    idempotency_key text DEFAULT NULL,
    idempotency_retention interval DEFAULT '30 days',
    unique_key text DEFAULT NULL,
    unique_mode text DEFAULT 'skip',
    unique_window interval DEFAULT NULL,
    OUT job_id uuid,
    OUT outcome text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    moment timestamptz := pg_catalog.clock_timestamp();
    due timestamptz := coalesce(enqueue_v1.run_at, moment + enqueue_v1.delay, moment);
BEGIN
    IF enqueue_v1.queue IS NULL OR enqueue_v1.priority IS NULL OR enqueue_v1.max_attempts IS NULL THEN
        SELECT filled.queue, filled.priority, filled.max_attempts
        INTO enqueue_v1.queue, enqueue_v1.priority, enqueue_v1.max_attempts
        FROM jobqueue.task_defaults(
            enqueue_v1.task, enqueue_v1.queue, enqueue_v1.priority, enqueue_v1.max_attempts
        ) AS filled;
    END IF;
    -- Simple expressions, which cost next to nothing; the words are made when one of them is true.
    IF enqueue_v1.task IS NULL OR enqueue_v1.task = '' OR length(enqueue_v1.task) > 200
       OR enqueue_v1.queue = '' OR length(enqueue_v1.queue) > 63
       OR enqueue_v1.priority NOT BETWEEN -32768 AND 32767
       OR enqueue_v1.max_attempts NOT BETWEEN 1 AND 32767
       OR enqueue_v1.run_at IS NOT NULL AND enqueue_v1.delay IS NOT NULL
       OR due NOT BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00'
       OR unique_window NOT BETWEEN '0' AND '1100 years'
       OR (idempotency_retention BETWEEN '0' AND '1100 years') IS NOT TRUE
       OR unique_mode IS DISTINCT FROM 'skip'
    THEN
        PERFORM jobqueue.refuse_enqueue(
            enqueue_v1.task, enqueue_v1.queue, enqueue_v1.priority, enqueue_v1.max_attempts,
            enqueue_v1.run_at IS NOT NULL AND enqueue_v1.delay IS NOT NULL, due,
            idempotency_retention, unique_mode, unique_window);
    END IF;
    IF enqueue_v1.args IS NULL OR pg_catalog.jsonb_typeof(enqueue_v1.args) <> 'object'
       OR pg_catalog.pg_column_size(enqueue_v1.args) > 8388608
    THEN
        PERFORM jobqueue.refuse_args(enqueue_v1.args, 1);
    END IF;

    IF enqueue_v1.id IS NOT NULL OR idempotency_key IS NOT NULL OR unique_key IS NOT NULL THEN
        SELECT keyed.job_id, keyed.outcome INTO enqueue_v1.job_id, enqueue_v1.outcome
        FROM jobqueue.enqueue_keyed(ROW(
            coalesce(enqueue_v1.id, jobqueue.uuid_v7()), enqueue_v1.id IS NOT NULL,
            enqueue_v1.task, enqueue_v1.args, enqueue_v1.queue, enqueue_v1.priority,
            enqueue_v1.max_attempts, due, moment, false, idempotency_key,
            idempotency_retention,
            unique_key, unique_mode, unique_window)::jobqueue.keyed_job) AS keyed;
        RETURN;
    END IF;

    outcome := 'inserted';
    INSERT INTO jobqueue.jobs (
        id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
    VALUES (
        jobqueue.uuid_v7(), due, moment, enqueue_v1.priority, enqueue_v1.max_attempts,
        CASE WHEN due > moment THEN 'scheduled' ELSE 'available' END,
        enqueue_v1.queue, enqueue_v1.task, enqueue_v1.args)
    RETURNING id INTO enqueue_v1.job_id;
    IF due <= moment AND EXISTS (
        SELECT FROM jobqueue.workers AS worker WHERE worker.sleeping @> ARRAY[enqueue_v1.queue]
    ) THEN
        PERFORM pg_catalog.pg_notify('jobqueue', enqueue_v1.queue);
    END IF;
END
$body$;

-- Enqueue many jobs of one task in one statement: one for each object in the JSON array `args`, in
-- its order; NULL, which jsonb_agg gives of no rows, is none. ids, idempotency_keys, unique_keys:
-- NULL, or one for each job. Otherwise as enqueue_v1.
CREATE FUNCTION jobqueue.enqueue_many_v1(
    task text,
    args jsonb,
    queue text DEFAULT NULL,
    priority integer DEFAULT NULL,
    run_at timestamptz DEFAULT NULL,
    delay interval DEFAULT NULL,
    max_attempts integer DEFAULT NULL,
    ids uuid[] DEFAULT NULL,
    idempotency_keys text[] DEFAULT NULL,
    idempotency_retention interval DEFAULT '30 days',
    unique_keys text[] DEFAULT NULL,
    unique_mode text DEFAULT 'skip',
    unique_window interval DEFAULT NULL,
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
    jobs_given integer;
    refused record;
    item record;
    done_ids uuid[];
    done_outcomes text[];
BEGIN
    IF enqueue_many_v1.args IS NULL THEN
        RETURN;
    END IF;
    IF pg_catalog.jsonb_typeof(enqueue_many_v1.args) <> 'array' THEN
        RAISE EXCEPTION 'args: not a JSON array of objects; give one object for each job'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT filled.queue, filled.priority, filled.max_attempts
    INTO enqueue_many_v1.queue, enqueue_many_v1.priority, enqueue_many_v1.max_attempts
    FROM jobqueue.task_defaults(
        enqueue_many_v1.task, enqueue_many_v1.queue, enqueue_many_v1.priority,
        enqueue_many_v1.max_attempts) AS filled;
    PERFORM jobqueue.refuse_enqueue(
        enqueue_many_v1.task, enqueue_many_v1.queue, enqueue_many_v1.priority,
        enqueue_many_v1.max_attempts,
        enqueue_many_v1.run_at IS NOT NULL AND enqueue_many_v1.delay IS NOT NULL, due,
        idempotency_retention, unique_mode, unique_window);
    SELECT one.value, one.position INTO refused
    FROM pg_catalog.jsonb_array_elements(enqueue_many_v1.args) WITH ORDINALITY AS one (value, position)
    WHERE pg_catalog.jsonb_typeof(one.value) <> 'object'
       OR pg_catalog.pg_column_size(one.value) > 8388608
    LIMIT 1;
    IF FOUND THEN
        PERFORM jobqueue.refuse_args(refused.value, refused.position);
    END IF;
    jobs_given := pg_catalog.jsonb_array_length(enqueue_many_v1.args);
    IF coalesce(pg_catalog.cardinality(ids), jobs_given) <> jobs_given
       OR coalesce(pg_catalog.cardinality(idempotency_keys), jobs_given) <> jobs_given
       OR coalesce(pg_catalog.cardinality(unique_keys), jobs_given) <> jobs_given
    THEN
        RAISE EXCEPTION 'ids, idempotency_keys, unique_keys: not one for each of % jobs; give as many, or NULL',
            jobs_given USING ERRCODE = 'invalid_parameter_value';
    END IF;

    IF coalesce(pg_catalog.cardinality(ids), pg_catalog.cardinality(idempotency_keys),
                pg_catalog.cardinality(unique_keys)) IS NULL
    THEN
        RETURN QUERY
        INSERT INTO jobqueue.jobs (
            id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
        SELECT jobqueue.uuid_v7(), due, moment, enqueue_many_v1.priority,
               enqueue_many_v1.max_attempts, first_state, enqueue_many_v1.queue,
               enqueue_many_v1.task, one.value
        FROM pg_catalog.jsonb_array_elements(enqueue_many_v1.args) AS one
        RETURNING id, 'inserted';
        IF FOUND AND first_state = 'available' THEN
            PERFORM jobqueue.wake(enqueue_many_v1.queue);
        END IF;
        RETURN;
    END IF;

    done_ids := pg_catalog.array_fill(NULL::uuid, ARRAY[jobs_given]);
    done_outcomes := pg_catalog.array_fill(NULL::text, ARRAY[jobs_given]);
    FOR item IN
        -- Ids are made in the order given; keys are taken in the order of their numbers, and ids of
        -- the caller's own in theirs, so that those who do the same do not wait for each other.
        SELECT numbered.*
        FROM (
            SELECT coalesce(one.id, jobqueue.uuid_v7()) AS id, one.id IS NOT NULL AS repeated,
                   one.args, one.idempotency_key, one.unique_key, one.position
            FROM ROWS FROM (
                pg_catalog.jsonb_array_elements(enqueue_many_v1.args),
                pg_catalog.unnest(ids),
                pg_catalog.unnest(idempotency_keys),
                pg_catalog.unnest(unique_keys)
            ) WITH ORDINALITY AS one (args, id, idempotency_key, unique_key, position)
        ) AS numbered
        ORDER BY least(
            jobqueue.key_hash('idempotency', enqueue_many_v1.task, numbered.idempotency_key),
            jobqueue.key_hash('unique', enqueue_many_v1.task, numbered.unique_key)),
            CASE WHEN numbered.repeated THEN numbered.id END, numbered.position
    LOOP
        SELECT keyed.job_id, keyed.outcome INTO job_id, outcome
        FROM jobqueue.enqueue_keyed(ROW(
            item.id, item.repeated, enqueue_many_v1.task, item.args, enqueue_many_v1.queue,
            enqueue_many_v1.priority, enqueue_many_v1.max_attempts, due, moment, false,
            item.idempotency_key, idempotency_retention, item.unique_key, unique_mode,
            unique_window)::jobqueue.keyed_job) AS keyed;
        done_ids[item.position] := job_id;
        done_outcomes[item.position] := outcome;
    END LOOP;
    RETURN QUERY
        SELECT one.id, one.outcome
        FROM ROWS FROM (pg_catalog.unnest(done_ids), pg_catalog.unnest(done_outcomes))
            AS one (id, outcome);
END
$body$;

-- Where clients insert a job of which nothing is left to decide: its id is fresh, it has no keys, it
-- is due now. For such a job, which most are, a function is a third of what an enqueue costs, and an
-- INSERT into this view, by the rights of its owner, is none. It refuses what enqueue_v1 refuses.
CREATE VIEW jobqueue.new_jobs AS
    SELECT id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args
    FROM jobqueue.jobs
    WHERE state = 'available'
      AND task <> '' AND pg_catalog.length(task) <= 200
      AND queue <> '' AND pg_catalog.length(queue) <= 63
      AND max_attempts >= 1
      AND run_at BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00'
      AND enqueued_at BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00'
      AND pg_catalog.jsonb_typeof(args) = 'object'
      AND pg_catalog.pg_column_size(args) <= 8388608
    WITH LOCAL CHECK OPTION;
COMMENT ON VIEW jobqueue.new_jobs IS
    'where clients insert jobs that are due now; in SQL call enqueue_v1, which fills in defaults';

CREATE VIEW jobqueue.sleepers AS SELECT sleeping FROM jobqueue.workers;
COMMENT ON VIEW jobqueue.sleepers IS
    'queues in which a worker sleeps: whoever enqueues into one of them notifies';

-- The view hides secret arguments; whoever may read only the view never sees them.
CREATE OR REPLACE VIEW jobqueue.all_jobs AS
    SELECT id, task, queue, state, priority, jobqueue.redact(task, args) AS args, attempt,
           max_attempts, errors, enqueued_at, run_at, started_at,
           NULL::timestamptz AS finished_at, NULL::real AS run_ms, worker_id
    FROM jobqueue.jobs
    UNION ALL
    SELECT id, task, queue, state, priority, jobqueue.redact(task, args), attempt, max_attempts,
           errors, enqueued_at, run_at, started_at, finished_at, run_ms, worker_id
    FROM jobqueue.job_history
    UNION ALL
    SELECT id, task, queue, 'dead', priority, jobqueue.redact(task, args), attempt, max_attempts,
           errors, enqueued_at, run_at, started_at, finished_at, NULL::real, worker_id
    FROM jobqueue.dead_letters;

-- Dead letters as they may be shown; the view all_jobs would read every table for them.
CREATE VIEW jobqueue.dead_jobs AS
    SELECT id, task, queue, 'dead'::text AS state, priority, jobqueue.redact(task, args) AS args,
           attempt, max_attempts, errors, enqueued_at, run_at, started_at, finished_at,
           NULL::real AS run_ms, worker_id
    FROM jobqueue.dead_letters;

-- History --------------------------------------------------------------------------------------
-- As before, and safe beside acks and another leader.
CREATE OR REPLACE FUNCTION jobqueue.make_history_partitions(days integer DEFAULT 7) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO'
SET lock_timeout = '200ms' AS $body$
DECLARE
    made integer := 0;
    first_moment timestamptz;
    next_moment timestamptz;
    partition text;
BEGIN
    IF days NOT BETWEEN 0 AND 366 THEN
        RAISE EXCEPTION 'days %: not between 0 and 366', days
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR ahead IN 0..days LOOP
        first_moment := (pg_catalog.date_trunc('day', now() AT TIME ZONE 'UTC')
            + pg_catalog.make_interval(days => ahead)) AT TIME ZONE 'UTC';
        next_moment := first_moment + interval '24 hours';
        partition := 'job_history_' || pg_catalog.to_char(first_moment AT TIME ZONE 'UTC', 'YYYYMMDD');
        CONTINUE WHEN pg_catalog.to_regclass('jobqueue.' || partition) IS NOT NULL;
        -- Nobody may be on the way to the default partition with a row of this one, nor another
        -- leader make it too.
        LOCK TABLE jobqueue.job_history IN SHARE ROW EXCLUSIVE MODE;
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

CREATE OR REPLACE FUNCTION jobqueue.drop_history_partitions(before timestamptz) RETURNS integer
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
        -- As dropping a partition does, but before it looks: another leader may have dropped it.
        LOCK TABLE jobqueue.job_history IN ACCESS EXCLUSIVE MODE;
        CONTINUE WHEN pg_catalog.to_regclass('jobqueue.' || partition) IS NULL;
        EXECUTE pg_catalog.format('DROP TABLE jobqueue.%I', partition);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM jobqueue.job_history_default WHERE finished_at < drop_history_partitions.before;
    RETURN dropped;
END
$body$;

-- Rights ---------------------------------------------------------------------------------------
-- A role that may only enqueue has no right to any table: these functions act for their owner, with
-- every name qualified and nothing but built-ins on the search path. Partitions are their owner's
-- to make and drop; a worker need not be that role.
ALTER FUNCTION jobqueue.enqueue_v1 SECURITY DEFINER;
ALTER FUNCTION jobqueue.enqueue_many_v1 SECURITY DEFINER;
ALTER FUNCTION jobqueue.task_defaults SECURITY DEFINER;
ALTER FUNCTION jobqueue.redact SECURITY DEFINER;
ALTER FUNCTION jobqueue.wake SECURITY DEFINER;
ALTER FUNCTION jobqueue.make_history_partitions SECURITY DEFINER;
ALTER FUNCTION jobqueue.drop_history_partitions SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION jobqueue.enqueue_v1, jobqueue.enqueue_many_v1,
    jobqueue.make_history_partitions, jobqueue.drop_history_partitions FROM PUBLIC;

-- Who could enqueue or look after history until now, by a right to a table, still can.
DO $keep$
DECLARE
    may record;
BEGIN
    FOR may IN
        SELECT DISTINCT given.rights,
               CASE WHEN one.grantee = 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END AS role
        FROM (VALUES
            ('jobs', 'INSERT', 'EXECUTE ON FUNCTION jobqueue.enqueue_v1, jobqueue.enqueue_many_v1'),
            ('jobs', 'INSERT', 'INSERT ON jobqueue.new_jobs'),
            ('jobs', 'INSERT', 'SELECT ON jobqueue.sleepers'),
            ('job_history', 'DELETE', 'EXECUTE ON FUNCTION jobqueue.make_history_partitions,'
                ' jobqueue.drop_history_partitions')
        ) AS given (relation, privilege, rights)
        JOIN pg_catalog.pg_class AS class
            ON class.oid = pg_catalog.format('jobqueue.%I', given.relation)::regclass
        CROSS JOIN LATERAL pg_catalog.aclexplode(class.relacl) AS one
        WHERE one.privilege_type = given.privilege
    LOOP
        EXECUTE pg_catalog.format('GRANT %s TO %s', may.rights, may.role);
    END LOOP;
END
$keep$;
