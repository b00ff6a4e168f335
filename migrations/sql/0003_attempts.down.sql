-- Takes away timeouts, cancelling of what runs, progress and results. The functions are those of 0002
-- again.
LOCK TABLE jobqueue.tasks, jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;
UPDATE jobqueue.schema_version SET version = 2;
DROP FUNCTION jobqueue.cancel_v2;
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

ALTER FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval) SECURITY DEFINER;
ALTER FUNCTION jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[], text,
    interval) SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval), jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[], text,
    interval)
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
          AND  'timeout' = ANY (old.proargnames)
          AND NOT 'timeout' = ANY (new.proargnames)
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', may.function, may.role);
    END LOOP;
END
$keep$;

DROP FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval, interval),
    jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[], text,
    interval, interval);
DROP FUNCTION jobqueue.give_timeout, jobqueue.refuse_timeout;

-- Columns cannot be taken from a view: it is made again, for those who could read it.
ALTER VIEW jobqueue.all_jobs RENAME TO all_jobs_before;
CREATE VIEW jobqueue.all_jobs AS
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
COMMENT ON VIEW jobqueue.all_jobs IS 'every job there is: alive, ended and dead';
DO $keep$
DECLARE
    may record;
BEGIN
    FOR may IN
        SELECT one.privilege_type,
               CASE WHEN one.grantee = 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END AS role
        FROM pg_catalog.pg_class AS old
        CROSS JOIN LATERAL pg_catalog.aclexplode(old.relacl) AS one
        WHERE old.oid = 'jobqueue.all_jobs_before'::regclass
    LOOP
        EXECUTE pg_catalog.format('GRANT %s ON jobqueue.all_jobs TO %s', may.privilege_type, may.role);
    END LOOP;
END
$keep$;
DROP VIEW jobqueue.all_jobs_before;
DROP TABLE jobqueue.cancel_requests;
ALTER TABLE jobqueue.jobs
    DROP COLUMN timeout_seconds, DROP COLUMN progress, DROP COLUMN progress_message;
ALTER TABLE jobqueue.dead_letters DROP COLUMN timeout_seconds;
ALTER TABLE jobqueue.job_history DROP COLUMN result;
