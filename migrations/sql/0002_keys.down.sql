-- Takes away keys and processed ids. Jobs that wait to be settled are made available: their keys are
-- gone, so nothing is left to decide. The functions are those of 0001 again.
LOCK TABLE jobqueue.tasks, jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;
UPDATE jobqueue.schema_version SET version = 1;
UPDATE jobqueue.jobs SET state = 'scheduled' WHERE state = 'blocked' AND contested IS NOT NULL;
DROP VIEW jobqueue.dead_jobs, jobqueue.new_jobs, jobqueue.sleepers;
CREATE OR REPLACE VIEW jobqueue.all_jobs AS
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
ALTER FUNCTION jobqueue.wake SECURITY INVOKER;
DROP FUNCTION jobqueue.enqueue_v1, jobqueue.enqueue_many_v1, jobqueue.enqueue_keyed,
    jobqueue.insert_keyed, jobqueue.first_due, jobqueue.meet_waiting, jobqueue.find_waiting,
    jobqueue.meet_once,
    jobqueue.settle_contested, jobqueue.prune_keys, jobqueue.take_key, jobqueue.key_hash,
    jobqueue.task_defaults, jobqueue.refuse_enqueue, jobqueue.refuse_args, jobqueue.redact;
CREATE OR REPLACE FUNCTION jobqueue.make_history_partitions(days integer DEFAULT 7) RETURNS integer
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
        EXECUTE pg_catalog.format('DROP TABLE jobqueue.%I', partition);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM jobqueue.job_history_default WHERE finished_at < drop_history_partitions.before;
    RETURN dropped;
END
$body$;
ALTER FUNCTION jobqueue.make_history_partitions SECURITY INVOKER;
ALTER FUNCTION jobqueue.drop_history_partitions SECURITY INVOKER;
GRANT EXECUTE ON FUNCTION jobqueue.make_history_partitions, jobqueue.drop_history_partitions
    TO PUBLIC;
DROP TYPE jobqueue.keyed_job;
DROP TABLE jobqueue.processed_ids, jobqueue.idempotency_keys, jobqueue.throttles;
ALTER TABLE jobqueue.workers DROP COLUMN home;
ALTER TABLE jobqueue.tasks DROP COLUMN secrets;
ALTER TABLE jobqueue.jobs DROP COLUMN unique_key, DROP COLUMN unique_hash,
    DROP COLUMN unique_asked, DROP COLUMN contested;

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
