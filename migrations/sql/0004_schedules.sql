-- Schedules, their ticks, and who is the leader. Kind: expand.
--
-- A tick is one due time of a schedule. Whatever is decided about it is one row of schedule_ticks, in
-- one transaction with its job: whoever decides a second time finds the row and changes nothing.

UPDATE jobqueue.schema_version SET version = 4;

CREATE TABLE jobqueue.schedules (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                 text NOT NULL UNIQUE CHECK (name <> '' AND length(name) <= 200),
    task                 text NOT NULL CHECK (task <> '' AND length(task) <= 200),
    args                 jsonb NOT NULL DEFAULT '{}'
        CHECK (jsonb_typeof(args) = 'object' AND pg_column_size(args) <= 8388608),
    queue                text CHECK (queue <> '' AND length(queue) <= 63),
    priority             smallint,
    max_attempts         smallint CHECK (max_attempts >= 1),
    cron                 text CHECK (length(cron) <= 200),
    every_seconds        bigint CHECK (every_seconds BETWEEN 1 AND 31557600000),
    at                   timestamptz,
    timezone             text NOT NULL DEFAULT 'UTC',
    anchor               timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    starts_at            timestamptz,
    ends_at              timestamptz,
    jitter_seconds       integer NOT NULL DEFAULT 0 CHECK (jitter_seconds >= 0),
    max_runs             bigint CHECK (max_runs >= 1),
    missed               text NOT NULL DEFAULT 'once' CHECK (missed IN ('skip', 'once', 'all')),
    missed_limit         integer NOT NULL DEFAULT 100 CHECK (missed_limit BETWEEN 1 AND 10000),
    missed_after_seconds double precision NOT NULL DEFAULT 60
        CHECK (missed_after_seconds BETWEEN 0 AND 3600),
    overlap              text NOT NULL DEFAULT 'allow' CHECK (overlap IN ('allow', 'skip', 'queue')),
    remove_when_done     boolean NOT NULL DEFAULT false,
    source               text NOT NULL DEFAULT 'sql' CHECK (source IN ('code', 'cli', 'sql')),
    application          text,
    declared             jsonb,
    state                text NOT NULL DEFAULT 'active'
        CHECK (state IN ('active', 'paused', 'dropped', 'finished', 'broken')),
    problem              text,
    revision             integer NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    counts_from          timestamptz NOT NULL DEFAULT now(),
    next_at              timestamptz,
    runs                 bigint NOT NULL DEFAULT 0,
    last_tick_at         timestamptz,
    last_success_at      timestamptz,
    failures             integer NOT NULL DEFAULT 0,
    CONSTRAINT schedules_needs_one_of_cron_every_seconds_at
        CHECK (num_nonnulls(cron, every_seconds, at) = 1),
    CONSTRAINT schedules_ends_at_is_not_before_starts_at CHECK (ends_at >= starts_at),
    CONSTRAINT schedules_moments_are_within_the_years_1970_to_9999 CHECK (
        coalesce(at, anchor) BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-30 00:00:00+00'
        AND anchor BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-30 00:00:00+00'
        AND coalesce(starts_at, anchor) BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-30 00:00:00+00'
        AND coalesce(ends_at, anchor) BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-30 00:00:00+00')
)
WITH (fillfactor = 80);
COMMENT ON TABLE jobqueue.schedules IS
    'rules that enqueue jobs; insert, update and delete as you like, the leader takes notice at once';
COMMENT ON COLUMN jobqueue.schedules.state IS
    'active; paused (by hand); dropped (by the code that made it); finished (no tick is left); '
    'broken (its rule cannot be used, see problem)';
COMMENT ON COLUMN jobqueue.schedules.declared IS
    'as code last gave it: the row is changed only when code says something else than before';
COMMENT ON COLUMN jobqueue.schedules.revision IS
    'of the rule: what was planned by an older one is not carried out';
COMMENT ON COLUMN jobqueue.schedules.counts_from IS
    'when its rule was made or changed; or the tick that was due then and that nothing was decided about';
COMMENT ON COLUMN jobqueue.schedules.next_at IS
    'the first tick nothing was decided about; NULL: not planned yet, or none is left';
CREATE INDEX schedules_due ON jobqueue.schedules (next_at) WHERE state = 'active';
CREATE INDEX schedules_done ON jobqueue.schedules (id) WHERE state = 'finished' AND remove_when_done;

CREATE TABLE jobqueue.schedule_ticks (
    schedule_id bigint NOT NULL,
    tick_at     timestamptz NOT NULL
        CHECK (tick_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-30 00:00:00+00'),
    state       text NOT NULL CHECK (state IN (
        'enqueued', 'waiting', 'skipped', 'missed', 'completed', 'cancelled', 'dead', 'forgotten')),
    catch_up    boolean NOT NULL DEFAULT false,
    by_hand     boolean NOT NULL DEFAULT false,
    job_id      uuid,
    decided_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (schedule_id, tick_at)
);
COMMENT ON TABLE jobqueue.schedule_ticks IS
    'what became of each tick: one row, and at most one job, however many leaders there are';
COMMENT ON COLUMN jobqueue.schedule_ticks.state IS
    'enqueued (its job has not ended); waiting (for the job before it); skipped (overlap); missed; or '
    'how its job ended, forgotten if that left no trace';
-- Those whose end is still to be noted, and those of a schedule that may overlap.
CREATE INDEX schedule_ticks_open ON jobqueue.schedule_ticks (schedule_id, tick_at)
    WHERE state IN ('enqueued', 'waiting');
CREATE INDEX schedule_ticks_decided_at ON jobqueue.schedule_ticks (decided_at);

-- Which tasks a live worker has; NULL: a worker of an older release, which does not say.
-- lost_slots: held by jobs whose time is over and that do not stop.
ALTER TABLE jobqueue.workers ADD COLUMN tasks text[],
    ADD COLUMN lost_slots integer NOT NULL DEFAULT 0;

-- Who leads: true only as long as that session holds the leader's lock.
CREATE TABLE jobqueue.leader (
    worker      text NOT NULL,
    backend_pid integer NOT NULL,
    since       timestamptz NOT NULL,
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row)
);

-- Changes ----------------------------------------------------------------------------------------

-- A new rule is planned anew: from now on, or from the tick that is due already and that the leader has
-- not come to yet, lest one be lost that both rules have. Moments are to the second.
CREATE FUNCTION jobqueue.schedule_changes() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    NEW.at := pg_catalog.date_trunc('second', NEW.at);
    NEW.anchor := pg_catalog.date_trunc('second', NEW.anchor);
    NEW.starts_at := pg_catalog.date_trunc('second', NEW.starts_at);
    NEW.ends_at := pg_catalog.date_trunc('second', NEW.ends_at);
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.cron, NEW.every_seconds, NEW.at, NEW.timezone, NEW.anchor, NEW.starts_at,
                NEW.ends_at, NEW.max_runs)
            IS DISTINCT FROM (OLD.cron, OLD.every_seconds, OLD.at, OLD.timezone, OLD.anchor,
                OLD.starts_at, OLD.ends_at, OLD.max_runs)
        THEN
            IF NEW.state = OLD.state AND NEW.state IN ('finished', 'broken') THEN
                NEW.state := 'active';
            END IF;
        ELSIF NOT (NEW.state = 'active' AND OLD.state IN ('dropped', 'finished', 'broken')) THEN
            RETURN NEW;
        END IF;
        NEW.revision := OLD.revision + 1;
    END IF;
    NEW.counts_from := pg_catalog.clock_timestamp();
    IF TG_OP = 'UPDATE' AND OLD.state = 'active' AND OLD.next_at <= NEW.counts_from THEN
        NEW.counts_from := OLD.next_at - interval '1 microsecond';
    END IF;
    NEW.next_at := NULL;
    NEW.problem := NULL;
    RETURN NEW;
END
$body$;
CREATE TRIGGER schedule_changes BEFORE INSERT OR UPDATE OF cron, every_seconds, at, timezone, anchor,
    starts_at, ends_at, max_runs, state
    ON jobqueue.schedules FOR EACH ROW EXECUTE FUNCTION jobqueue.schedule_changes();

-- The leader sleeps until the next tick it knows of.
CREATE FUNCTION jobqueue.wake_leader() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    PERFORM pg_catalog.pg_notify('jobqueue_leader', 'schedule');
    RETURN NULL;
END
$body$;
CREATE TRIGGER wake_leader AFTER INSERT OR UPDATE OF cron, every_seconds, at, timezone, anchor,
    starts_at, ends_at, max_runs, state
    ON jobqueue.schedules FOR EACH STATEMENT EXECUTE FUNCTION jobqueue.wake_leader();

-- Ticks --------------------------------------------------------------------------------------------

-- The id of a tick's job, a UUID of version 8: the tick in milliseconds where version 7 has the time,
-- 5c4 or, for a catch-up, 5c5, and 62 random bits. The job reads from it what it was scheduled for.
CREATE FUNCTION jobqueue.tick_job_id(tick_at timestamptz, catch_up boolean) RETURNS uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT pg_catalog.encode(
        pg_catalog.substr(pg_catalog.int8send((extract(epoch FROM
            greatest(least(tick_job_id.tick_at, '9999-12-30 00:00:00+00'), '1970-01-01 00:00:00+00')
        ) * 1000)::bigint), 3)
        || CASE WHEN tick_job_id.catch_up THEN '\x85c5'::bytea ELSE '\x85c4'::bytea END
        || pg_catalog.substr(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), 9),
        'hex')::uuid
$body$;

-- Enqueue the jobs of ticks, each after its delay in seconds. A tick that has had a job is left alone,
-- and so is one whose schedule is gone. Returns how many jobs there are now.
CREATE FUNCTION jobqueue.enqueue_ticks(
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

-- Carry out what the leader planned, a JSON array of {id, revision, was, next, runs, problem, ticks:
-- [{at, state, catch_up, delay}]}. A schedule whose rule changed since, that another leader advanced
-- from `was`, or that somebody has locked, is left as it is. Returns how many were carried out.
CREATE FUNCTION jobqueue.advance_schedules(plans jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    advanced bigint[];
    over bigint[];
    broken bigint[];
BEGIN
    WITH plan AS (
        SELECT one.*, (SELECT pg_catalog.max(tick.at)
                       FROM pg_catalog.jsonb_to_recordset(one.ticks) AS tick (at timestamptz)) AS last_at
        FROM pg_catalog.jsonb_to_recordset(advance_schedules.plans) AS one (
            id bigint, revision integer, was timestamptz, next timestamptz, runs integer,
            problem text, ticks jsonb)
    ),
    free AS (
        SELECT schedule.id
        FROM jobqueue.schedules AS schedule
        JOIN plan ON plan.id = schedule.id
        WHERE schedule.state = 'active' AND schedule.revision = plan.revision
          AND schedule.next_at IS NOT DISTINCT FROM plan.was
        ORDER BY schedule.id
        FOR UPDATE OF schedule SKIP LOCKED
    ),
    moved AS (
        UPDATE jobqueue.schedules AS schedule
        SET next_at = plan.next, problem = plan.problem,
            runs = schedule.runs + plan.runs,
            last_tick_at = coalesce(plan.last_at, schedule.last_tick_at)
        FROM plan
        WHERE schedule.id = plan.id AND plan.id IN (SELECT free.id FROM free)
        RETURNING schedule.id, schedule.next_at, schedule.problem
    )
    SELECT pg_catalog.array_agg(id),
           pg_catalog.array_agg(id) FILTER (WHERE next_at IS NULL AND problem IS NULL),
           pg_catalog.array_agg(id) FILTER (WHERE problem IS NOT NULL)
    INTO advanced, over, broken
    FROM moved;

    INSERT INTO jobqueue.schedule_ticks (schedule_id, tick_at, state, catch_up)
    SELECT plan.id, tick.at, tick.state, tick.catch_up
    FROM pg_catalog.jsonb_to_recordset(advance_schedules.plans) AS plan (id bigint, ticks jsonb),
         pg_catalog.jsonb_to_recordset(plan.ticks)
             AS tick (at timestamptz, state text, catch_up boolean)
    WHERE plan.id = ANY (advanced) AND tick.state <> 'enqueued'
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING;

    PERFORM jobqueue.enqueue_ticks(
        pg_catalog.array_agg(plan.id), pg_catalog.array_agg(tick.at),
        pg_catalog.array_agg(tick.catch_up), pg_catalog.array_agg(tick.delay))
    FROM pg_catalog.jsonb_to_recordset(advance_schedules.plans) AS plan (id bigint, ticks jsonb),
         pg_catalog.jsonb_to_recordset(plan.ticks)
             AS tick (at timestamptz, state text, catch_up boolean, delay double precision)
    WHERE plan.id = ANY (advanced) AND tick.state = 'enqueued'
    HAVING pg_catalog.count(*) > 0;

    IF over IS NOT NULL OR broken IS NOT NULL THEN
        UPDATE jobqueue.schedules AS schedule
        SET state = CASE WHEN schedule.id = ANY (over) THEN 'finished' ELSE 'broken' END
        WHERE schedule.id = ANY (over || broken);
    END IF;
    RETURN coalesce(pg_catalog.cardinality(advanced), 0);
END
$body$;

-- Enqueue a job of a schedule now, whatever its rule and state say. Returns the job's id.
CREATE FUNCTION jobqueue.run_schedule_v1(name text) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    its_id bigint;
    moment timestamptz := pg_catalog.date_trunc('milliseconds', pg_catalog.clock_timestamp());
BEGIN
    SELECT schedule.id INTO its_id FROM jobqueue.schedules AS schedule
    WHERE schedule.name = run_schedule_v1.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'schedule %: there is none of this name; see jobqueue.schedules',
            pg_catalog.quote_nullable(run_schedule_v1.name)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Another run may have had this very millisecond.
    WHILE jobqueue.enqueue_ticks(
        ARRAY[its_id], ARRAY[moment], ARRAY[false], ARRAY[0.0]::double precision[], true) = 0
    LOOP
        moment := moment + interval '1 millisecond';
    END LOOP;
    RETURN (SELECT tick.job_id FROM jobqueue.schedule_ticks AS tick
            WHERE tick.schedule_id = its_id AND tick.tick_at = moment);
END
$body$;

-- For people and dashboards ------------------------------------------------------------------------

CREATE VIEW jobqueue.all_schedules AS
    SELECT schedule.id, schedule.name, schedule.task, jobqueue.redact(schedule.task, schedule.args) AS args,
           schedule.queue, schedule.priority, schedule.max_attempts, schedule.cron,
           schedule.every_seconds, schedule.at, schedule.timezone, schedule.anchor,
           schedule.starts_at, schedule.ends_at, schedule.jitter_seconds, schedule.max_runs,
           schedule.missed, schedule.missed_limit, schedule.missed_after_seconds, schedule.overlap,
           schedule.remove_when_done, schedule.source, schedule.application, schedule.state,
           schedule.problem, schedule.created_at, schedule.counts_from, schedule.next_at,
           greatest(extract(epoch FROM now() - schedule.next_at), 0)::double precision
               AS overdue_seconds,
           schedule.runs, schedule.last_tick_at, last.state AS last_state, last.job_id AS last_job_id,
           extract(epoch FROM last.decided_at - last.tick_at)::double precision AS last_late_seconds,
           schedule.last_success_at, schedule.failures,
           EXISTS (
               SELECT FROM jobqueue.workers AS worker
               WHERE worker.expires_at > now()
                 AND (worker.tasks IS NULL OR schedule.task = ANY (worker.tasks))
           ) AS task_known
    FROM jobqueue.schedules AS schedule
    LEFT JOIN jobqueue.schedule_ticks AS last
        ON last.schedule_id = schedule.id AND last.tick_at = schedule.last_tick_at;
COMMENT ON VIEW jobqueue.all_schedules IS
    'every schedule with how it is doing; task_known: whether a live worker has its task';

REVOKE EXECUTE ON FUNCTION jobqueue.tick_job_id, jobqueue.enqueue_ticks, jobqueue.advance_schedules,
    jobqueue.run_schedule_v1 FROM PUBLIC;

-- Who could work until now, by a right to a table, still can.
DO $keep$
DECLARE
    may record;
BEGIN
    FOR may IN
        SELECT DISTINCT given.rights,
               CASE WHEN one.grantee = 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END AS role
        FROM (VALUES
            ('SELECT, INSERT, UPDATE, DELETE ON jobqueue.schedules, jobqueue.schedule_ticks,'
                ' jobqueue.leader'),
            ('SELECT ON jobqueue.all_schedules'),
            ('EXECUTE ON FUNCTION jobqueue.tick_job_id, jobqueue.enqueue_ticks,'
                ' jobqueue.advance_schedules, jobqueue.run_schedule_v1')
        ) AS given (rights)
        JOIN pg_catalog.pg_class AS class ON class.oid = 'jobqueue.job_history'::regclass
        CROSS JOIN LATERAL pg_catalog.aclexplode(class.relacl) AS one
        WHERE one.privilege_type = 'DELETE' AND one.grantee <> class.relowner
    LOOP
        EXECUTE pg_catalog.format('GRANT %s TO %s', may.rights, may.role);
    END LOOP;
END
$keep$;
