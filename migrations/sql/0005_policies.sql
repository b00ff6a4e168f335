-- Pauses, deadlines, and what is decided for a queue. Kind: expand.
--
-- The enqueue functions gain parameters with defaults: what called them before calls them still.

-- Everything at once, first, and in the order in which enqueues, acks and readers of the view take
-- their locks: what goes on meanwhile waits. A lock that is not had soon is given up and tried again.
LOCK TABLE jobqueue.tasks, jobqueue.queues, jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;

UPDATE jobqueue.schema_version SET version = 5;

-- Pauses -----------------------------------------------------------------------------------------

-- What nobody begins any more until the row goes. Workers read the table when they start and when it
-- changes, and leave out of their claims what is in it.
CREATE TABLE jobqueue.pauses (
    kind      text NOT NULL CHECK (kind IN ('queue', 'task', 'key')),
    name      text NOT NULL CHECK (name <> '' AND length(name) <= 200),
    key       text NOT NULL DEFAULT '',
    reason    text CHECK (length(reason) <= 500),
    paused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, name, key),
    CONSTRAINT pauses_key_is_of_a_limit CHECK (kind = 'key' OR key = '')
);
COMMENT ON TABLE jobqueue.pauses IS
    'queues, tasks and keys of which no job begins; insert and delete as you like, workers notice at once';
COMMENT ON COLUMN jobqueue.pauses.name IS 'of the queue, of the task, or of the limit that has the key';

CREATE FUNCTION jobqueue.tell_of_pauses() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    PERFORM pg_catalog.pg_notify('jobqueue_pauses', '');
    RETURN NULL;
END
$body$;
CREATE TRIGGER tell_of_pauses AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON jobqueue.pauses
    FOR EACH STATEMENT EXECUTE FUNCTION jobqueue.tell_of_pauses();

-- Give the kind and the names of what is to be paused or resumed: a queue, a task, or a limit's key.
CREATE FUNCTION jobqueue.pausable(
    queue text, task text, limit_name text, limit_key text, OUT kind text, OUT name text, OUT key text
)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    longest integer;
BEGIN
    IF pg_catalog.num_nonnulls(pausable.queue, pausable.task, pausable.limit_name) <> 1
       OR (pausable.limit_name IS NULL) <> (pausable.limit_key IS NULL)
    THEN
        RAISE EXCEPTION 'queue, task, limit_name with key: give one of them'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    kind := CASE WHEN pausable.queue IS NOT NULL THEN 'queue'
                 WHEN pausable.task IS NOT NULL THEN 'task' ELSE 'key' END;
    name := coalesce(pausable.queue, pausable.task, pausable.limit_name);
    key := coalesce(pausable.limit_key, '');
    longest := CASE kind WHEN 'queue' THEN 63 ELSE 200 END;
    IF name = '' OR length(name) > longest THEN
        RAISE EXCEPTION '% %: a name has 1 to % characters',
            CASE kind WHEN 'key' THEN 'limit' ELSE kind END, pg_catalog.quote_literal(name), longest
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$body$;

-- Begin no more jobs of a queue, of a task, or of a key of a limit, from within a second of the
-- caller's commit on. What runs may finish. Returns whether it was not paused before; a new reason
-- replaces the one before.
CREATE FUNCTION jobqueue.pause_v1(
    queue text DEFAULT NULL, task text DEFAULT NULL, reason text DEFAULT NULL,
    limit_name text DEFAULT NULL, key text DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    it record;
BEGIN
    SELECT * INTO it FROM jobqueue.pausable(
        pause_v1.queue, pause_v1.task, pause_v1.limit_name, pause_v1.key);
    INSERT INTO jobqueue.pauses (kind, name, key, reason)
    VALUES (it.kind, it.name, it.key, pg_catalog.left(pause_v1.reason, 500))
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN true;
    END IF;
    UPDATE jobqueue.pauses AS known SET reason = pg_catalog.left(pause_v1.reason, 500)
    WHERE known.kind = it.kind AND known.name = it.name AND known.key = it.key
      AND known.reason IS DISTINCT FROM pause_v1.reason AND pause_v1.reason IS NOT NULL;
    RETURN false;
END
$body$;

-- Let jobs of a queue, of a task or of a key begin again. Returns whether it was paused.
CREATE FUNCTION jobqueue.resume_v1(
    queue text DEFAULT NULL, task text DEFAULT NULL, limit_name text DEFAULT NULL,
    key text DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    it record;
BEGIN
    SELECT * INTO it FROM jobqueue.pausable(
        resume_v1.queue, resume_v1.task, resume_v1.limit_name, resume_v1.key);
    DELETE FROM jobqueue.pauses AS known
    WHERE known.kind = it.kind AND known.name = it.name AND known.key = it.key;
    RETURN FOUND;
END
$body$;

-- What is decided for a queue ---------------------------------------------------------------------

ALTER TABLE jobqueue.queues
    ADD COLUMN history_days integer CHECK (history_days BETWEEN 1 AND 365000),
    ADD COLUMN max_attempts smallint CHECK (max_attempts >= 1),
    ADD COLUMN target_backlog integer CHECK (target_backlog >= 1),
    ADD COLUMN min_workers integer NOT NULL DEFAULT 0 CHECK (min_workers >= 0),
    ADD COLUMN max_workers integer CHECK (max_workers >= 1),
    ADD CONSTRAINT queues_max_workers_is_not_below_min_workers CHECK (max_workers >= min_workers);
COMMENT ON COLUMN jobqueue.queues.history_days IS
    'how long its completed and cancelled jobs are kept; NULL: as long as workers say';
COMMENT ON COLUMN jobqueue.queues.max_attempts IS
    'of its jobs, where neither the enqueue nor the task says how often they may be tried; NULL: 5';
COMMENT ON COLUMN jobqueue.queues.target_backlog IS
    'how many waiting jobs there should be for each worker; NULL: nothing is said of scaling';
-- A task may leave its attempts to the queue.
ALTER TABLE jobqueue.tasks ALTER COLUMN max_attempts DROP NOT NULL;

-- How many workers each queue with a rule should have. Waiting jobs are counted no further than the
-- most workers are for, so that a flooded queue costs little; without max_workers, all are.
CREATE VIEW jobqueue.autoscaling AS
    SELECT queue.name AS queue, waiting.jobs AS backlog, queue.target_backlog, queue.min_workers,
           queue.max_workers,
           (SELECT count(*) FROM jobqueue.workers AS worker
            WHERE worker.expires_at > clock_timestamp() AND NOT worker.draining
              AND queue.name = ANY (worker.queues)) AS workers,
           least(queue.max_workers, greatest(
               queue.min_workers, ceil(waiting.jobs::numeric / queue.target_backlog)))::bigint
               AS wanted_workers,
           waiting.paused
    FROM jobqueue.queues AS queue
    CROSS JOIN LATERAL (
        SELECT pause.paused,
               CASE WHEN pause.paused THEN 0 ELSE (
                   SELECT count(*) FROM (
                       SELECT FROM jobqueue.jobs AS job
                       WHERE job.queue = queue.name AND job.state = 'available'
                       LIMIT queue.target_backlog::bigint * queue.max_workers
                   ) AS one) END AS jobs
        FROM (
            SELECT EXISTS (SELECT FROM jobqueue.pauses AS known
                           WHERE known.kind = 'queue' AND known.name = queue.name) AS paused
        ) AS pause
    ) AS waiting
    WHERE queue.target_backlog IS NOT NULL;
COMMENT ON VIEW jobqueue.autoscaling IS
    'how many workers each queue with a target_backlog should have, for KEDA and the like';

-- Where history can be shortened for some queues: days that ended, their partitions, and the queues of
-- which nothing is to be kept there; the others are named when they are fewer.
CREATE FUNCTION jobqueue.history_to_trim(
    days integer, OUT partition text, OUT pages bigint, OUT queues text[], OUT all_but boolean
)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' ROWS 10 AS $body$
    SELECT part.name, part.pages, chosen.queues, part.ends <= now() - pg_catalog.make_interval(days => days)
    FROM (
        SELECT child.relname::text AS name,
               pg_catalog.pg_relation_size(child.oid)
                   / pg_catalog.current_setting('block_size')::bigint AS pages,
               (pg_catalog.to_date(pg_catalog.right(child.relname, 8), 'YYYYMMDD') + 1)::timestamp
                   AT TIME ZONE 'UTC' AS ends
        FROM pg_catalog.pg_inherits AS link
        JOIN pg_catalog.pg_class AS child ON child.oid = link.inhrelid
        WHERE link.inhparent = 'jobqueue.job_history'::regclass
          AND child.relname ~ '^job_history_[0-9]{8}$'
    ) AS part
    CROSS JOIN LATERAL (
        -- Past the days of all: those that keep longer. Before: those that keep less.
        SELECT pg_catalog.array_agg(queue.name ORDER BY queue.name) AS queues
        FROM jobqueue.queues AS queue
        WHERE CASE WHEN part.ends <= now() - pg_catalog.make_interval(days => days)
              THEN part.ends > now() - pg_catalog.make_interval(days => queue.history_days)
              ELSE part.ends <= now() - pg_catalog.make_interval(days => queue.history_days) END
    ) AS chosen
    WHERE chosen.queues IS NOT NULL AND part.pages > 0
    ORDER BY part.name
$body$;

-- Delete the history of queues from some pages of a partition, as history_to_trim says. Returns how
-- many jobs went.
CREATE FUNCTION jobqueue.trim_history(
    partition text, queues text[], all_but boolean, first_page bigint, pages bigint
) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $body$
DECLARE
    gone bigint;
BEGIN
    IF partition IS NULL OR partition !~ '^job_history_[0-9]{8}$'
       OR pg_catalog.to_regclass('jobqueue.' || partition) IS NULL
       OR first_page IS NULL OR pages IS NULL OR first_page NOT BETWEEN 0 AND 4294967295
       OR pages NOT BETWEEN 0 AND 1000000
    THEN
        RETURN 0;
    END IF;
    EXECUTE pg_catalog.format(
        'DELETE FROM jobqueue.%I WHERE ctid >= %L::tid AND ctid < %L::tid AND (queue = ANY ($1)) <> $2',
        partition, pg_catalog.format('(%s,0)', first_page),
        pg_catalog.format('(%s,0)', least(first_page + pages, 4294967295)))
    USING queues, all_but;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$body$;
ALTER FUNCTION jobqueue.trim_history SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION jobqueue.history_to_trim, jobqueue.trim_history FROM PUBLIC;

-- Deadlines --------------------------------------------------------------------------------------

ALTER TABLE jobqueue.jobs ADD COLUMN expires_at timestamptz;
COMMENT ON COLUMN jobqueue.jobs.expires_at IS
    'not started by then, the job is cancelled; NULL: it waits for as long as it takes, or has started';
ALTER TABLE jobqueue.tasks
    ADD COLUMN expires_seconds double precision CHECK (expires_seconds BETWEEN 0 AND 31557600000);
CREATE INDEX jobs_expiring ON jobqueue.jobs (expires_at)
    WHERE expires_at IS NOT NULL AND state <> 'running';

CREATE TABLE jobqueue.expirations (
    queue text NOT NULL,
    day   date NOT NULL,
    jobs  bigint NOT NULL,
    PRIMARY KEY (queue, day)
);
COMMENT ON TABLE jobqueue.expirations IS
    'how many jobs of a queue had not started by their deadline, each day (UTC)';

-- The deadline of a job that is due then; NULL: it has none.
CREATE FUNCTION jobqueue.expiry(at timestamptz, after interval, due timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT nullif(coalesce(at, least(due + after, '9999-12-30 00:00:00+00')), 'infinity')
$body$;

CREATE FUNCTION jobqueue.check_expiry(
    expires_at timestamptz, expires_in interval, run_at timestamptz
) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    problem text := CASE
        WHEN expires_at IS NOT NULL AND expires_in IS NOT NULL
            THEN 'expires_at and expires_in: both given; give one of them'
        WHEN expires_in NOT BETWEEN '0' AND '1100 years'
            THEN pg_catalog.format('expires_in %s: not between nothing and 1,000 years', expires_in)
        WHEN expires_at NOT BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00'
             AND expires_at <> 'infinity'
            THEN pg_catalog.format('expires_at %s: not within the years 1 to 9999', expires_at)
        WHEN expires_at <= run_at
            THEN pg_catalog.format('expires_at %s: not after run_at %s; the job would never start',
                                   expires_at, run_at)
    END;
BEGIN
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$body$;

-- Give the job that an enqueue has made or replaced the deadline it asked for, if any.
CREATE FUNCTION jobqueue.give_expiry(job_id uuid, outcome text, at timestamptz, after interval)
RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
    UPDATE jobqueue.jobs AS job
    SET expires_at = jobqueue.expiry(give_expiry.at, give_expiry.after, job.run_at)
    WHERE job.id = give_expiry.job_id AND give_expiry.outcome <> 'met'
      AND job.expires_at IS DISTINCT FROM
          jobqueue.expiry(give_expiry.at, give_expiry.after, job.run_at)
$body$;

-- Enqueue ----------------------------------------------------------------------------------------

-- As before, and a queue's own attempts come after those of the task.
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
    max_attempts := coalesce(task_defaults.max_attempts, known.max_attempts);
    IF max_attempts IS NULL THEN
        SELECT policy.max_attempts INTO max_attempts FROM jobqueue.queues AS policy
        WHERE policy.name = task_defaults.queue;
        max_attempts := coalesce(task_defaults.max_attempts, 5);
    END IF;
END
$body$;

-- To be replaced takes that away.
ALTER FUNCTION jobqueue.task_defaults SECURITY DEFINER;

-- As before, and a job that was contested keeps its deadline.
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
            IF job.expires_at IS NOT NULL OR answer.outcome = 'replaced' THEN
                PERFORM jobqueue.give_expiry(
                    answer.job_id, answer.outcome, job.expires_at, NULL);
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

-- As before, and the job of a tick has the deadline of its task.
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
            id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args, expires_at)
        SELECT decided.job_id,
               decided.decided_at + pg_catalog.make_interval(secs => wanted.delay),
               decided.decided_at, chosen.priority, chosen.max_attempts,
               CASE WHEN wanted.delay > 0 THEN 'scheduled' ELSE 'available' END,
               chosen.queue, schedule.task, schedule.args,
               CASE WHEN known.expires_seconds IS NOT NULL THEN jobqueue.expiry(
                   NULL, pg_catalog.make_interval(secs => known.expires_seconds),
                   decided.decided_at + pg_catalog.make_interval(secs => wanted.delay)) END
        FROM decided
        JOIN wanted USING (schedule_id, tick_at)
        JOIN jobqueue.schedules AS schedule ON schedule.id = decided.schedule_id
        LEFT JOIN jobqueue.tasks AS known ON known.name = schedule.task
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
--   expires_at, expires_in
--                 not started by this moment, or this long after it was due (one of them), it ends
--                 as cancelled; NULL: as the task says; expires_at => 'infinity': never
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
    expires_at timestamptz DEFAULT NULL,
    expires_in interval DEFAULT NULL,
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
    IF enqueue_v1.expires_at IS NULL AND expires_in IS NULL THEN
        SELECT pg_catalog.make_interval(secs => known.expires_seconds) INTO enqueue_v1.expires_in
        FROM jobqueue.tasks AS known
        WHERE known.name = enqueue_v1.task AND known.expires_seconds IS NOT NULL;
    ELSIF enqueue_v1.expires_at IS DISTINCT FROM 'infinity' OR expires_in IS NOT NULL THEN
        PERFORM jobqueue.check_expiry(enqueue_v1.expires_at, expires_in, enqueue_v1.run_at);
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
        IF enqueue_v1.expires_at < 'infinity' OR expires_in IS NOT NULL OR outcome = 'replaced' THEN
            PERFORM jobqueue.give_expiry(
                enqueue_v1.job_id, outcome, enqueue_v1.expires_at, expires_in);
        END IF;
        RETURN;
    END IF;

    outcome := 'inserted';
    INSERT INTO jobqueue.jobs (
        id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args,
        timeout_seconds, expires_at)
    VALUES (
        jobqueue.uuid_v7(), due, moment, enqueue_v1.priority, enqueue_v1.max_attempts,
        CASE WHEN due > moment THEN 'scheduled' ELSE 'available' END,
        enqueue_v1.queue, enqueue_v1.task, enqueue_v1.args, extract(epoch FROM timeout)::real,
        CASE WHEN enqueue_v1.expires_at < 'infinity' OR expires_in IS NOT NULL
             THEN jobqueue.expiry(enqueue_v1.expires_at, expires_in, due) END)
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
    expires_at timestamptz DEFAULT NULL,
    expires_in interval DEFAULT NULL,
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
    IF enqueue_many_v1.expires_at IS NULL AND expires_in IS NULL THEN
        SELECT pg_catalog.make_interval(secs => known.expires_seconds) INTO enqueue_many_v1.expires_in
        FROM jobqueue.tasks AS known
        WHERE known.name = enqueue_many_v1.task AND known.expires_seconds IS NOT NULL;
    ELSIF enqueue_many_v1.expires_at IS DISTINCT FROM 'infinity' OR expires_in IS NOT NULL THEN
        PERFORM jobqueue.check_expiry(
            enqueue_many_v1.expires_at, expires_in, enqueue_many_v1.run_at);
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
            timeout_seconds, expires_at)
        SELECT jobqueue.uuid_v7(), due, moment, enqueue_many_v1.priority,
               enqueue_many_v1.max_attempts, first_state, enqueue_many_v1.queue,
               enqueue_many_v1.task, one.value, extract(epoch FROM timeout)::real,
               CASE WHEN enqueue_many_v1.expires_at < 'infinity' OR expires_in IS NOT NULL
                    THEN jobqueue.expiry(enqueue_many_v1.expires_at, expires_in, due) END
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
        IF enqueue_many_v1.expires_at < 'infinity' OR expires_in IS NOT NULL OR outcome = 'replaced'
        THEN
            PERFORM jobqueue.give_expiry(
                job_id, outcome, enqueue_many_v1.expires_at, expires_in);
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
    interval, interval, timestamptz, interval) SECURITY DEFINER;
ALTER FUNCTION jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[],
    text, interval, interval, timestamptz, interval) SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval, interval, timestamptz, interval),
    jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[],
    text, interval, interval, timestamptz, interval) FROM PUBLIC;

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
          AND NOT 'expires_in' = ANY (old.proargnames)
          AND  'expires_in' = ANY (new.proargnames)
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', may.function, may.role);
    END LOOP;
END
$keep$;

DROP FUNCTION jobqueue.enqueue_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid, text, interval, text, text,
    interval, interval),
    jobqueue.enqueue_many_v1(text, jsonb, text, integer, timestamptz, interval, integer, uuid[], text[], interval, text[],
    text, interval, interval);

-- Rights -----------------------------------------------------------------------------------------

REVOKE EXECUTE ON FUNCTION jobqueue.pause_v1, jobqueue.resume_v1, jobqueue.pausable,
    jobqueue.tell_of_pauses,
    jobqueue.expiry, jobqueue.check_expiry, jobqueue.give_expiry FROM PUBLIC;

-- Who could work until now, by a right to a table, still can.
DO $keep$
DECLARE
    may record;
BEGIN
    FOR may IN
        SELECT DISTINCT given.rights,
               CASE WHEN one.grantee = 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END AS role
        FROM (VALUES
            ('SELECT, INSERT, UPDATE, DELETE ON jobqueue.pauses, jobqueue.expirations'),
            ('SELECT ON jobqueue.autoscaling'),
            ('EXECUTE ON FUNCTION jobqueue.history_to_trim, jobqueue.trim_history,'
                ' jobqueue.pause_v1, jobqueue.resume_v1, jobqueue.pausable, jobqueue.expiry,'
                ' jobqueue.check_expiry, jobqueue.give_expiry')
        ) AS given (rights)
        JOIN pg_catalog.pg_class AS class ON class.oid = 'jobqueue.job_history'::regclass
        CROSS JOIN LATERAL pg_catalog.aclexplode(class.relacl) AS one
        WHERE one.privilege_type = 'DELETE' AND one.grantee <> class.relowner
    LOOP
        EXECUTE pg_catalog.format('GRANT %s TO %s', may.rights, may.role);
    END LOOP;
END
$keep$;
