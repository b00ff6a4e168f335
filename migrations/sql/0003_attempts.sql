-- What may be said to a job that runs, and what it says: timeouts, cancelling, progress, results.
-- Kind: expand.
--
-- The enqueue functions gain a parameter with a default: what called them before calls them still.

-- Everything at once, first, and in the order in which enqueues, acks and readers of the view take
-- their locks: what goes on meanwhile waits. A lock that is not had soon is given up and tried again.
LOCK TABLE jobqueue.tasks, jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;

UPDATE jobqueue.schema_version SET version = 3;

ALTER TABLE jobqueue.jobs
    ADD COLUMN timeout_seconds real,
    ADD COLUMN progress real,
    ADD COLUMN progress_message text;
COMMENT ON COLUMN jobqueue.jobs.timeout_seconds IS
    'how long an attempt may take; NULL: as long as the task says';
COMMENT ON COLUMN jobqueue.jobs.progress IS
    'how far the attempt is that runs, from 0 to 1, by its own word';
ALTER TABLE jobqueue.dead_letters ADD COLUMN timeout_seconds real;
ALTER TABLE jobqueue.job_history ADD COLUMN result jsonb;
COMMENT ON COLUMN jobqueue.job_history.result IS
    'what the job returned, if its task keeps that; NULL: nothing was kept';

-- Jobs that are to be cancelled while they run. Not a column of jobs: who asks, in a transaction of
-- any length, must lock no row that a worker is about to record an outcome in.
CREATE TABLE jobqueue.cancel_requests (
    job_id       uuid NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Not the job alone: two who ask the same do not wait for each other.
    PRIMARY KEY (job_id, requested_at)
);
COMMENT ON TABLE jobqueue.cancel_requests IS
    'running jobs to be cancelled; whichever way the attempt ends, only completion comes before it';

CREATE OR REPLACE VIEW jobqueue.all_jobs AS
    SELECT id, task, queue, state, priority, jobqueue.redact(task, args) AS args, attempt,
           max_attempts, errors, enqueued_at, run_at, started_at,
           NULL::timestamptz AS finished_at, NULL::real AS run_ms, worker_id,
           timeout_seconds, progress, progress_message,
           (SELECT min(asked.requested_at) FROM jobqueue.cancel_requests AS asked
            WHERE asked.job_id = jobs.id) AS cancel_requested_at,
           NULL::jsonb AS result
    FROM jobqueue.jobs
    UNION ALL
    SELECT id, task, queue, state, priority, jobqueue.redact(task, args), attempt, max_attempts,
           errors, enqueued_at, run_at, started_at, finished_at, run_ms, worker_id,
           NULL::real, NULL::real, NULL::text, NULL::timestamptz, result
    FROM jobqueue.job_history
    UNION ALL
    SELECT id, task, queue, 'dead', priority, jobqueue.redact(task, args), attempt, max_attempts,
           errors, enqueued_at, run_at, started_at, finished_at, NULL::real, worker_id,
           timeout_seconds, NULL::real, NULL::text, NULL::timestamptz, NULL::jsonb
    FROM jobqueue.dead_letters;

-- Timeouts -------------------------------------------------------------------------------------

CREATE FUNCTION jobqueue.refuse_timeout(timeout interval) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    RAISE EXCEPTION 'timeout %: not between 1 ms and 1,000 years; leave it out for the task''s own', timeout
        USING ERRCODE = 'invalid_parameter_value';
END
$body$;

-- Give the job that an enqueue has made or replaced the timeout it asked for, if any.
CREATE FUNCTION jobqueue.give_timeout(job_id uuid, outcome text, seconds real) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
    UPDATE jobqueue.jobs AS job SET timeout_seconds = give_timeout.seconds
    WHERE job.id = give_timeout.job_id AND give_timeout.outcome <> 'met'
      AND job.timeout_seconds IS DISTINCT FROM give_timeout.seconds
$body$;

-- As before, and a job that was contested keeps its timeout.
CREATE OR REPLACE FUNCTION jobqueue.settle_contested(most integer) RETURNS integer
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
            IF job.timeout_seconds IS NOT NULL OR answer.outcome = 'replaced' THEN
                PERFORM jobqueue.give_timeout(
                    answer.job_id, answer.outcome, job.timeout_seconds);
            END IF;
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

-- Enqueue --------------------------------------------------------------------------------------

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
--   timeout       how long an attempt may take; NULL: as long as the task says
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
    timeout interval DEFAULT NULL,
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
    IF timeout NOT BETWEEN '1 ms' AND '1100 years' THEN
        PERFORM jobqueue.refuse_timeout(timeout);
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
        IF timeout IS NOT NULL OR outcome = 'replaced' THEN
            PERFORM jobqueue.give_timeout(
                enqueue_v1.job_id, outcome, extract(epoch FROM timeout)::real);
        END IF;
        RETURN;
    END IF;

    outcome := 'inserted';
    INSERT INTO jobqueue.jobs (
        id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args,
        timeout_seconds)
    VALUES (
        jobqueue.uuid_v7(), due, moment, enqueue_v1.priority, enqueue_v1.max_attempts,
        CASE WHEN due > moment THEN 'scheduled' ELSE 'available' END,
        enqueue_v1.queue, enqueue_v1.task, enqueue_v1.args, extract(epoch FROM timeout)::real)
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
    timeout interval DEFAULT NULL,
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
    IF timeout NOT BETWEEN '1 ms' AND '1100 years' THEN
        PERFORM jobqueue.refuse_timeout(timeout);
    END IF;
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
            id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args,
            timeout_seconds)
        SELECT jobqueue.uuid_v7(), due, moment, enqueue_many_v1.priority,
               enqueue_many_v1.max_attempts, first_state, enqueue_many_v1.queue,
               enqueue_many_v1.task, one.value, extract(epoch FROM timeout)::real
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
        IF timeout IS NOT NULL OR outcome = 'replaced' THEN
            PERFORM jobqueue.give_timeout(job_id, outcome, extract(epoch FROM timeout)::real);
        END IF;
        done_ids[item.position] := job_id;
        done_outcomes[item.position] := outcome;
    END LOOP;
    RETURN QUERY
        SELECT one.id, one.outcome
        FROM ROWS FROM (pg_catalog.unnest(done_ids), pg_catalog.unnest(done_outcomes))
            AS one (id, outcome);
END
$body$;

ALTER FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval, interval) SECURITY DEFINER;
ALTER FUNCTION jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[], text,
    interval, interval) SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval, interval), jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[], text,
    interval, interval)
    FROM PUBLIC;

-- Who could call the functions before may call those that take their place.
DO $keep$
DECLARE
    may record;
BEGIN
    FOR may IN
        SELECT new.oid::regprocedure::text AS function,
               CASE WHEN one.grantee = 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END AS role
        FROM pg_catalog.pg_proc AS old
        JOIN pg_catalog.pg_proc AS new
            ON new.pronamespace = old.pronamespace AND new.proname = old.proname
        CROSS JOIN LATERAL pg_catalog.aclexplode(old.proacl) AS one
        WHERE old.pronamespace = 'jobqueue'::regnamespace
          AND old.proname IN ('enqueue_v1', 'enqueue_many_v1')
          AND NOT 'timeout' = ANY (old.proargnames)
          AND  'timeout' = ANY (new.proargnames)
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', may.function, may.role);
    END LOOP;
END
$keep$;

DROP FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval),
    jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[], text,
    interval);

-- Cancelling -----------------------------------------------------------------------------------

-- Cancel a job: at once while it waits; one that runs is asked to stop. Returns 'cancelled', or
-- 'asked', or why it is too late: 'ended', 'unknown'.
-- A job that was asked ends as cancelled, unless it completes first. Its worker hears of it when the
-- caller commits, and looks by itself with each heartbeat.
CREATE FUNCTION jobqueue.cancel_v2(id uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    present record;
BEGIN
    LOOP
        WITH gone AS (
            DELETE FROM jobqueue.jobs AS job
            WHERE job.id = cancel_v2.id AND job.state <> 'running'
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
        SELECT job.state, job.worker_id INTO present
        FROM jobqueue.all_jobs AS job WHERE job.id = cancel_v2.id LIMIT 1;
        IF NOT FOUND THEN
            RETURN 'unknown';
        ELSIF present.state = 'running' THEN
            INSERT INTO jobqueue.cancel_requests (job_id) VALUES (cancel_v2.id)
            ON CONFLICT DO NOTHING;
            PERFORM pg_catalog.pg_notify('jobqueue_cancel', present.worker_id::text);
            RETURN 'asked';
        ELSIF present.state IN ('completed', 'cancelled', 'dead') THEN
            RETURN 'ended';
        END IF;
        -- It ran when we tried, and waits again now: once more.
    END LOOP;
END
$body$;

-- Put dead letters back: fresh attempts, their past errors kept. Returns the ids that came back.
CREATE OR REPLACE FUNCTION jobqueue.redrive_many_v1(ids uuid[]) RETURNS SETOF uuid
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
    ),
    forgotten AS (
        -- What was asked of the attempt that failed is not asked of the next. One that is locked is
        -- being forgotten already.
        DELETE FROM jobqueue.cancel_requests
        WHERE ctid = ANY (ARRAY(
            SELECT asked.ctid FROM jobqueue.cancel_requests AS asked
            WHERE asked.job_id = ANY (ARRAY(SELECT id FROM back))
            FOR UPDATE SKIP LOCKED))
    )
    INSERT INTO jobqueue.jobs (
        id, run_at, enqueued_at, priority, attempt, max_attempts, state, queue, task, args, errors,
        timeout_seconds)
    SELECT id, pg_catalog.clock_timestamp(), enqueued_at, priority, 0, max_attempts, 'available',
           queue, task, args, errors, timeout_seconds
    FROM back
    RETURNING id;
    FOR woken IN
        SELECT DISTINCT queue FROM jobqueue.jobs WHERE id = ANY (redrive_many_v1.ids)
    LOOP
        PERFORM jobqueue.wake(woken);
    END LOOP;
END
$body$;
