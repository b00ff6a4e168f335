-- Takes away pauses, deadlines and what was decided for queues. The functions are those of 0003 to
-- 0005 again.
LOCK TABLE jobqueue.tasks, jobqueue.queues, jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;
UPDATE jobqueue.schema_version SET version = 5;

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

-- Enqueue jobs of one task that are under limits; as enqueue_many_v1. concurrency_keys, rate_keys:
-- one for each job.
CREATE FUNCTION jobqueue.enqueue_gated_v1(
    task text,
    args jsonb,
    queue text,
    priority integer,
    run_at timestamptz,
    delay interval,
    max_attempts integer,
    ids uuid[],
    idempotency_keys text[],
    idempotency_retention interval,
    unique_keys text[],
    unique_mode text,
    unique_window interval,
    timeout interval,
    concurrency text,
    concurrency_keys text[],
    rate text,
    rate_keys text[],
    weight integer,
    OUT job_id uuid,
    OUT outcome text
)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp ROWS 100 AS $body$
#variable_conflict use_column
DECLARE
    moment timestamptz := pg_catalog.clock_timestamp();
    due timestamptz := coalesce(enqueue_gated_v1.run_at, moment + enqueue_gated_v1.delay, moment);
    done_ids uuid[];
    done_outcomes text[];
BEGIN
    -- Most are new for certain, and wait where they belong from the first. Whatever of the others is
    -- to be refused is refused below, in the same words.
    IF ids IS NULL AND idempotency_keys IS NULL AND unique_keys IS NULL
       AND enqueue_gated_v1.task <> '' AND length(enqueue_gated_v1.task) <= 200
       AND enqueue_gated_v1.queue <> '' AND length(enqueue_gated_v1.queue) <= 63
       AND enqueue_gated_v1.priority BETWEEN -32768 AND 32767
       AND enqueue_gated_v1.max_attempts BETWEEN 1 AND 32767
       AND (enqueue_gated_v1.run_at IS NULL OR enqueue_gated_v1.delay IS NULL)
       AND due BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00'
       AND (timeout BETWEEN '1 ms' AND '1100 years') IS NOT FALSE
       AND NOT EXISTS (
           SELECT FROM pg_catalog.jsonb_array_elements(enqueue_gated_v1.args) AS one
           WHERE pg_catalog.jsonb_typeof(one.value) <> 'object'
              OR pg_catalog.pg_column_size(one.value) > 8388608)
    THEN
        RETURN QUERY
        INSERT INTO jobqueue.jobs AS job (
            id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args,
            timeout_seconds, concurrency, concurrency_key, rate, rate_key, weight)
        SELECT jobqueue.uuid_v7(), due, moment, enqueue_gated_v1.priority,
               enqueue_gated_v1.max_attempts,
               CASE WHEN due > moment THEN 'scheduled' ELSE 'gated' END,
               enqueue_gated_v1.queue, enqueue_gated_v1.task, one.args,
               extract(epoch FROM timeout)::real, enqueue_gated_v1.concurrency,
               CASE WHEN enqueue_gated_v1.concurrency IS NOT NULL
                   THEN coalesce(one.concurrency_key, '') END,
               enqueue_gated_v1.rate,
               CASE WHEN enqueue_gated_v1.rate IS NOT NULL THEN coalesce(one.rate_key, '') END,
               enqueue_gated_v1.weight
        FROM ROWS FROM (
            pg_catalog.jsonb_array_elements(enqueue_gated_v1.args),
            pg_catalog.unnest(concurrency_keys), pg_catalog.unnest(rate_keys)
        ) AS one (args, concurrency_key, rate_key)
        RETURNING job.id, 'inserted';
        IF due <= moment THEN
            PERFORM jobqueue.call_gates(
                enqueue_gated_v1.concurrency, concurrency_keys, enqueue_gated_v1.rate, rate_keys);
        END IF;
        RETURN;
    END IF;
    SELECT pg_catalog.array_agg(made.job_id ORDER BY made.position),
           pg_catalog.array_agg(made.outcome ORDER BY made.position)
    INTO done_ids, done_outcomes
    FROM jobqueue.enqueue_many_v1(
        enqueue_gated_v1.task, enqueue_gated_v1.args, enqueue_gated_v1.queue,
        enqueue_gated_v1.priority, enqueue_gated_v1.run_at, enqueue_gated_v1.delay,
        enqueue_gated_v1.max_attempts, enqueue_gated_v1.ids, enqueue_gated_v1.idempotency_keys,
        enqueue_gated_v1.idempotency_retention, enqueue_gated_v1.unique_keys,
        enqueue_gated_v1.unique_mode, enqueue_gated_v1.unique_window, enqueue_gated_v1.timeout
    ) WITH ORDINALITY AS made (job_id, outcome, position);
    PERFORM jobqueue.put_under_limits(
        done_ids, done_outcomes, enqueue_gated_v1.concurrency, enqueue_gated_v1.concurrency_keys,
        enqueue_gated_v1.rate, enqueue_gated_v1.rate_keys, enqueue_gated_v1.weight);
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
ALTER FUNCTION jobqueue.enqueue_gated_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[],
    interval, text[], text, interval, interval, text, text[], text, text[], integer) SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION jobqueue.enqueue_gated_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[],
    interval, text[], text, interval, interval, text, text[], text, text[], integer) FROM PUBLIC;

-- The gates know of no pauses again.
CREATE OR REPLACE FUNCTION jobqueue.stop_at_gate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF NEW.state = 'available' THEN
        IF NEW.admitted_at IS NOT NULL AND NEW.admitted_at IS DISTINCT FROM OLD.admitted_at THEN
            RETURN NEW;
        ELSIF NEW.concurrency IS NOT NULL AND NEW.holds IS NULL THEN
            NEW.state := 'gated';
            INSERT INTO jobqueue.gate_calls (name, key) VALUES (NEW.concurrency, NEW.concurrency_key);
        ELSIF NEW.rate IS NOT NULL THEN
            NEW.state := 'gated';
            INSERT INTO jobqueue.gate_calls (name, key, unused_at, weight) VALUES (
                NEW.rate, NEW.rate_key,
                CASE WHEN NEW.admitted_at IS NULL THEN date_part('epoch', OLD.admitted_at) END,
                NEW.weight);
        END IF;
    ELSIF NEW.state <> 'gated' AND OLD.holds AND NOT EXISTS (
        SELECT FROM jobqueue.limits AS one WHERE one.name = NEW.concurrency AND one.ordered
    ) THEN
        NEW.holds := NULL;
        INSERT INTO jobqueue.gate_calls (name, key) VALUES (NEW.concurrency, NEW.concurrency_key);
    END IF;
    RETURN NEW;
END
$body$;

CREATE OR REPLACE FUNCTION jobqueue.admit_called(
    rule jobqueue.limits, most integer,
    OUT admitted integer, OUT queues text[], OUT again boolean, OUT locked boolean
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    limit_name text := rule.name;
    amount integer := CASE WHEN rule.removed THEN 2147483647 ELSE rule.amount END;
    ordered boolean := rule.ordered AND NOT rule.removed;
    called text[];
    left_at text[];
    cut_off boolean;
    all_keys boolean;
    seen integer;
BEGIN
    WITH gone AS (
        DELETE FROM jobqueue.gate_calls AS call
        WHERE call.name = limit_name AND call.id = ANY (ARRAY(
            SELECT one.id FROM jobqueue.gate_calls AS one WHERE one.name = limit_name
            ORDER BY one.id LIMIT most FOR UPDATE SKIP LOCKED))
        RETURNING call.key
    )
    SELECT array_agg(DISTINCT key) FILTER (WHERE key IS NOT NULL), count(*), count(*) > count(key)
    INTO called, seen, all_keys FROM gone;
    again := seen >= most OR all_keys;
    IF all_keys THEN
        PERFORM jobqueue.call_all_keys(limit_name);
    END IF;

    WITH room AS MATERIALIZED (
        SELECT gate.key, greatest(least(amount - held.jobs, most), 0) AS jobs
        FROM unnest(called) AS gate (key)
        CROSS JOIN LATERAL (
            SELECT count(*) AS jobs
            FROM (
                SELECT FROM jobqueue.jobs AS holder
                WHERE holder.concurrency = limit_name AND holder.concurrency_key = gate.key
                  AND holder.holds
                LIMIT amount
            ) AS one
        ) AS held
    ),
    chosen AS MATERIALIZED (
        -- One that somebody has locked is left for the next time; where order matters nobody goes
        -- before it.
        SELECT room.key, next.id
        FROM room
        CROSS JOIN LATERAL (
            SELECT job.id
            FROM jobqueue.jobs AS job
            WHERE job.concurrency = limit_name AND job.concurrency_key = room.key
              AND job.state = 'gated' AND job.holds IS NULL
            ORDER BY job.priority, job.run_at, job.id
            LIMIT room.jobs
            FOR UPDATE SKIP LOCKED
        ) AS next
        WHERE NOT ordered OR next.id = (
            SELECT job.id
            FROM jobqueue.jobs AS job
            WHERE job.concurrency = limit_name AND job.concurrency_key = room.key
              AND job.state = 'gated' AND job.holds IS NULL
            ORDER BY job.priority, job.run_at, job.id
            LIMIT 1)
    ),
    through AS (
        UPDATE jobqueue.jobs AS job
        SET state = CASE WHEN job.rate IS NULL THEN 'available' ELSE 'gated' END,
            holds = true, admitted_at = clock_timestamp()
        WHERE job.id = ANY (ARRAY(SELECT id FROM chosen))
        RETURNING job.id, job.queue, job.rate, job.rate_key
    ),
    onward AS (
        INSERT INTO jobqueue.gate_calls (name, key)
        SELECT DISTINCT rate, rate_key FROM through WHERE rate IS NOT NULL
    ),
    short AS (
        SELECT room.key, room.jobs FROM room
        WHERE room.jobs > 0
          AND (room.jobs >= most
               OR room.jobs > (SELECT count(*) FROM chosen WHERE chosen.key = room.key))
    )
    SELECT (SELECT count(*) FROM through),
           ARRAY(SELECT DISTINCT queue FROM through WHERE rate IS NULL),
           ARRAY(
               SELECT short.key FROM short
               WHERE EXISTS (
                   SELECT FROM jobqueue.jobs AS job
                   WHERE job.concurrency = limit_name AND job.concurrency_key = short.key
                     AND job.state = 'gated' AND job.holds IS NULL
                     AND job.id <> ALL (ARRAY(
                         SELECT chosen.id FROM chosen WHERE chosen.key = short.key)))),
           (SELECT count(*) FROM through) >= most
    INTO admitted, queues, left_at, cut_off;

    -- Those that could have gone are called for again.
    INSERT INTO jobqueue.gate_calls (name, key)
    SELECT limit_name, gate.key FROM unnest(left_at) AS gate (key);
    again := again OR cut_off;
    locked := cardinality(left_at) > 0;
END
$body$;

CREATE OR REPLACE FUNCTION jobqueue.admit_in_turn(
    rule jobqueue.limits, OUT admitted integer, OUT queues text[], OUT full_up boolean
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    -- Keys of which nothing can go, because they are full or locked, are passed over so many at a time.
    most_rounds CONSTANT integer := 20;
    amount integer := coalesce(rule.amount, 2147483647);
    room integer;
    last_key text := rule.turn;
    keys text[];
    shares integer;
    round record;
    idle integer := 0;
BEGIN
    admitted := 0;
    queues := '{}';
    full_up := false;
    DELETE FROM jobqueue.gate_calls AS call
    WHERE call.name = rule.name AND call.id = ANY (ARRAY(
        SELECT one.id FROM jobqueue.gate_calls AS one WHERE one.name = rule.name
        ORDER BY one.id LIMIT 10000 FOR UPDATE SKIP LOCKED));
    room := rule.ahead - (
        SELECT count(*) FROM jobqueue.jobs AS job
        WHERE job.concurrency = rule.name AND job.holds AND job.state <> 'running');
    FOR step IN 1 .. most_rounds LOOP
        IF room <= 0 THEN
            full_up := true;
            EXIT;
        END IF;
        -- The keys whose turn is next, and after the last the first again.
        WITH RECURSIVE next AS (
            SELECT (SELECT min(job.concurrency_key) FROM jobqueue.jobs AS job
                    WHERE job.concurrency = rule.name AND job.state = 'gated'
                      AND job.holds IS NULL AND job.concurrency_key > last_key) AS key, 1 AS number
            UNION ALL
            SELECT (SELECT min(job.concurrency_key) FROM jobqueue.jobs AS job
                    WHERE job.concurrency = rule.name AND job.state = 'gated'
                      AND job.holds IS NULL AND job.concurrency_key > next.key), next.number + 1
            FROM next WHERE next.key IS NOT NULL AND next.number < least(room, 1000)
        )
        SELECT array_agg(next.key ORDER BY next.number),
               sum(jobqueue.fair_weight(rule.weights, next.key))
        INTO keys, shares FROM next WHERE next.key IS NOT NULL;
        IF keys IS NULL THEN
            IF last_key = '' AND NOT rule.waiting THEN
                EXIT;
            ELSIF last_key = '' THEN
                -- Nobody waits, as far as can be seen: who comes now will call.
                UPDATE jobqueue.limits AS one SET waiting = false WHERE one.name = rule.name;
                EXIT;
            END IF;
            last_key := '';
            CONTINUE;
        END IF;
        IF NOT rule.waiting THEN
            UPDATE jobqueue.limits AS one SET waiting = true WHERE one.name = rule.name;
            rule.waiting := true;
        END IF;
        WITH chosen AS (
            SELECT next.id
            FROM unnest(keys) WITH ORDINALITY AS gate (key, number)
            CROSS JOIN LATERAL (
                SELECT amount - count(*) AS jobs
                FROM (
                    SELECT FROM jobqueue.jobs AS holder
                    WHERE holder.concurrency = rule.name AND holder.concurrency_key = gate.key
                      AND holder.holds
                    LIMIT amount
                ) AS held
            ) AS free
            CROSS JOIN LATERAL (
                SELECT job.id
                FROM jobqueue.jobs AS job
                WHERE job.concurrency = rule.name AND job.concurrency_key = gate.key
                  AND job.state = 'gated' AND job.holds IS NULL
                ORDER BY job.priority, job.run_at, job.id
                LIMIT least(greatest(free.jobs, 0), jobqueue.fair_weight(rule.weights, gate.key)
                    * greatest(room / shares, 1))
                FOR UPDATE SKIP LOCKED
            ) AS next
        ),
        through AS (
            UPDATE jobqueue.jobs AS job
            SET state = CASE WHEN job.rate IS NULL THEN 'available' ELSE 'gated' END,
                holds = true, admitted_at = clock_timestamp()
            WHERE job.id = ANY (ARRAY(SELECT id FROM chosen))
            RETURNING job.queue, job.rate, job.rate_key
        ),
        onward AS (
            INSERT INTO jobqueue.gate_calls (name, key)
            SELECT DISTINCT rate, rate_key FROM through WHERE rate IS NOT NULL
        )
        SELECT count(*) AS jobs, array_agg(DISTINCT queue) FILTER (WHERE rate IS NULL) AS queues
        INTO round FROM through;
        admitted := admitted + round.jobs;
        queues := queues || round.queues;
        room := room - round.jobs;
        last_key := keys[cardinality(keys)];
        -- Twice round without a single one: they are all full.
        idle := CASE WHEN round.jobs > 0 THEN 0 ELSE idle + 1 END;
        EXIT WHEN idle > 2;
    END LOOP;
    UPDATE jobqueue.limits AS one SET turn = last_key
    WHERE one.name = rule.name AND one.turn <> last_key;
END
$body$;

CREATE OR REPLACE FUNCTION jobqueue.look_at_rate(
    rule jobqueue.limits, rate_key text, slack double precision, ahead double precision, most integer,
    OUT heaviest integer, OUT stands_alone boolean, OUT pace double precision,
    OUT earliest double precision, OUT at_once bigint, OUT places bigint
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    present double precision := date_part('epoch', clock_timestamp());
    window_seconds double precision := rule.per_seconds + slack;
    known jobqueue.rates;
    per_window integer;
    held_until double precision;
BEGIN
    -- Locked, or it might be pruned meanwhile.
    INSERT INTO jobqueue.rates AS one (name, key) VALUES (rule.name, look_at_rate.rate_key)
    ON CONFLICT (name, key) DO UPDATE
    -- Only a rule that is stricter no more has left it further ahead than this.
    SET free_at = least(one.free_at, present + look_at_rate.ahead + window_seconds)
    RETURNING one.* INTO known;

    look_at_rate.heaviest := known.heaviest;
    look_at_rate.stands_alone := known.heaviest > 1 AND known.heaviest::bigint * 2 > rule.amount;
    per_window := CASE WHEN look_at_rate.stands_alone THEN 1
                       ELSE rule.amount - known.heaviest + 1 END;
    look_at_rate.pace := window_seconds / per_window;
    -- A little later than now: it has to be claimed first.
    look_at_rate.earliest := greatest(present + 0.01, known.free_at);
    look_at_rate.at_once := 1;
    look_at_rate.places := 0;
    held_until := greatest(
        known.held_until, date_part('epoch', coalesce(rule.held_until, '-infinity')));
    IF held_until > look_at_rate.earliest THEN
        look_at_rate.earliest := held_until;
    ELSIF known.credit > 0 THEN
        look_at_rate.earliest := present + 0.01;
        look_at_rate.at_once := known.credit;
        look_at_rate.places := least(known.credit, look_at_rate.most);
        RETURN;
    ELSIF look_at_rate.earliest > known.free_at THEN
        look_at_rate.at_once := least(
            rule.burst, per_window,
            floor(least((look_at_rate.earliest - known.free_at) / look_at_rate.pace, 1e9)) + 1);
    END IF;
    IF look_at_rate.earliest <= present + look_at_rate.ahead THEN
        look_at_rate.places := least(
            look_at_rate.most,
            greatest(look_at_rate.at_once, floor(
                (present + look_at_rate.ahead - look_at_rate.earliest) / look_at_rate.pace) + 1));
    END IF;
END
$body$;

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
          AND old.proname IN ('enqueue_v1', 'enqueue_many_v1', 'enqueue_gated_v1')
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
    text, interval, interval, timestamptz, interval),
    jobqueue.enqueue_gated_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[],
    interval, text[], text, interval, interval, text, text[], text, text[], integer, timestamptz,
    interval);

DROP VIEW jobqueue.autoscaling;
DROP FUNCTION jobqueue.pause_v1, jobqueue.resume_v1, jobqueue.pausable, jobqueue.give_expiry,
    jobqueue.check_expiry, jobqueue.expiry,
    jobqueue.history_to_trim, jobqueue.trim_history;
DROP TABLE jobqueue.pauses, jobqueue.expirations;
DROP FUNCTION jobqueue.tell_of_pauses, jobqueue.call_resumed_key, jobqueue.call_resumed_keys;
ALTER TABLE jobqueue.jobs DROP COLUMN expires_at;
ALTER TABLE jobqueue.tasks DROP COLUMN expires_seconds;
UPDATE jobqueue.tasks SET max_attempts = 5 WHERE max_attempts IS NULL;
ALTER TABLE jobqueue.tasks ALTER COLUMN max_attempts SET NOT NULL;
ALTER TABLE jobqueue.queues DROP COLUMN history_days, DROP COLUMN max_attempts,
    DROP COLUMN target_backlog, DROP COLUMN min_workers, DROP COLUMN max_workers;
