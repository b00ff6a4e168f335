-- Takes away pauses, deadlines and what was decided for queues. The functions are those of 0003
-- and 0004 again.
LOCK TABLE jobqueue.tasks, jobqueue.queues, jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;
UPDATE jobqueue.schema_version SET version = 4;

CREATE OR REPLACE FUNCTION jobqueue.task_defaults(
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

-- To be replaced takes that away.
ALTER FUNCTION jobqueue.task_defaults SECURITY DEFINER;

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

CREATE OR REPLACE FUNCTION jobqueue.enqueue_ticks(
    schedule_ids bigint[], tick_ats timestamptz[], catch_ups boolean[], delays double precision[],
    by_hand boolean DEFAULT false
) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    woken text;
    queues text[];
    enqueued integer;
BEGIN
    WITH wanted AS (
        SELECT one.schedule_id, one.tick_at, one.catch_up, one.delay
        FROM ROWS FROM (
            pg_catalog.unnest(schedule_ids), pg_catalog.unnest(tick_ats),
            pg_catalog.unnest(catch_ups), pg_catalog.unnest(delays)
        ) AS one (schedule_id, tick_at, catch_up, delay)
        WHERE EXISTS (SELECT FROM jobqueue.schedules AS schedule WHERE schedule.id = one.schedule_id)
        ORDER BY one.schedule_id, one.tick_at
    ),
    decided AS (
        INSERT INTO jobqueue.schedule_ticks AS tick (
            schedule_id, tick_at, state, catch_up, by_hand, job_id, decided_at)
        SELECT wanted.schedule_id, wanted.tick_at, 'enqueued', wanted.catch_up, enqueue_ticks.by_hand,
               jobqueue.tick_job_id(wanted.tick_at, wanted.catch_up), pg_catalog.clock_timestamp()
        FROM wanted
        ON CONFLICT (schedule_id, tick_at) DO UPDATE
        SET state = excluded.state, catch_up = excluded.catch_up, job_id = excluded.job_id,
            decided_at = excluded.decided_at
        WHERE tick.job_id IS NULL
        RETURNING tick.schedule_id, tick.tick_at, tick.job_id, tick.decided_at
    ),
    inserted AS (
        INSERT INTO jobqueue.jobs AS job (
            id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
        SELECT decided.job_id,
               decided.decided_at + pg_catalog.make_interval(secs => wanted.delay),
               decided.decided_at, chosen.priority, chosen.max_attempts,
               CASE WHEN wanted.delay > 0 THEN 'scheduled' ELSE 'available' END,
               chosen.queue, schedule.task, schedule.args
        FROM decided
        JOIN wanted USING (schedule_id, tick_at)
        JOIN jobqueue.schedules AS schedule ON schedule.id = decided.schedule_id
        CROSS JOIN LATERAL jobqueue.task_defaults(
            schedule.task, schedule.queue, schedule.priority, schedule.max_attempts) AS chosen
        ORDER BY decided.tick_at, decided.schedule_id
        RETURNING job.queue, job.state
    )
    SELECT pg_catalog.count(*), pg_catalog.array_agg(DISTINCT queue) FILTER (WHERE state = 'available')
    INTO enqueued, queues FROM inserted;
    FOREACH woken IN ARRAY coalesce(queues, '{}') LOOP
        PERFORM jobqueue.wake(woken);
    END LOOP;
    RETURN enqueued;
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
ALTER FUNCTION jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[],
    text, interval, interval) SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval, interval),
    jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[],
    text, interval, interval) FROM PUBLIC;

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
          AND  'expires_in' = ANY (old.proargnames)
          AND NOT 'expires_in' = ANY (new.proargnames)
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', may.function, may.role);
    END LOOP;
END
$keep$;

DROP FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval, interval, timestamptz, interval),
    jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[],
    text, interval, interval, timestamptz, interval);

DROP VIEW jobqueue.autoscaling;
DROP FUNCTION jobqueue.pause_v1, jobqueue.resume_v1, jobqueue.pausable, jobqueue.give_expiry,
    jobqueue.check_expiry, jobqueue.expiry,
    jobqueue.history_to_trim, jobqueue.trim_history;
DROP TABLE jobqueue.pauses, jobqueue.expirations;
DROP FUNCTION jobqueue.tell_of_pauses;
ALTER TABLE jobqueue.jobs DROP COLUMN expires_at;
ALTER TABLE jobqueue.tasks DROP COLUMN expires_seconds;
UPDATE jobqueue.tasks SET max_attempts = 5 WHERE max_attempts IS NULL;
ALTER TABLE jobqueue.tasks ALTER COLUMN max_attempts SET NOT NULL;
ALTER TABLE jobqueue.queues DROP COLUMN history_days, DROP COLUMN max_attempts,
    DROP COLUMN target_backlog, DROP COLUMN min_workers, DROP COLUMN max_workers;
