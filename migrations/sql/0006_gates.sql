-- Limits, and the gates at which jobs wait for them. Kind: expand.
--
-- A job under a limit waits as `gated`, outside the index that claims read, until it is admitted. What
-- a limit has given away is read from the jobs themselves (holds) and, for rates, from one row a key.

-- In the order in which enqueues, rescues, acks and readers take theirs; what goes on meanwhile waits.
LOCK TABLE jobqueue.tasks, jobqueue.queues IN ACCESS EXCLUSIVE MODE;
LOCK TABLE jobqueue.workers IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;

UPDATE jobqueue.schema_version SET version = 6;

ALTER TABLE jobqueue.jobs
    ADD COLUMN concurrency text,
    ADD COLUMN concurrency_key text,
    ADD COLUMN rate text,
    ADD COLUMN rate_key text,
    ADD COLUMN weight integer,
    ADD COLUMN holds boolean,
    ADD COLUMN admitted_at timestamptz,
    DROP CONSTRAINT jobs_state_check,
    ADD CONSTRAINT jobs_state_check CHECK (
        state IN ('scheduled', 'available', 'running', 'blocked', 'waiting', 'gated'));
COMMENT ON COLUMN jobqueue.jobs.concurrency IS
    'the limit on how many run at once that it is under, and its key there; NULL: none';
COMMENT ON COLUMN jobqueue.jobs.rate IS
    'the limit on how many start in a while that it is under, and its key there; NULL: none';
COMMENT ON COLUMN jobqueue.jobs.weight IS 'for how many starts it counts in its rate; NULL: one';
COMMENT ON COLUMN jobqueue.jobs.holds IS
    'true: it counts in its concurrency limit, admitted and not ended; never false';
COMMENT ON COLUMN jobqueue.jobs.admitted_at IS
    'when it was last let through; under a rate, the moment from which it may start';

-- At each gate in the order of admission. Ordinary jobs are in none of these.
CREATE INDEX jobs_at_concurrency
    ON jobqueue.jobs (concurrency, concurrency_key, priority, run_at, id)
    WHERE state = 'gated' AND holds IS NULL;
CREATE INDEX jobs_at_rate ON jobqueue.jobs (rate, rate_key, priority, run_at, id)
    WHERE state = 'gated' AND (holds OR concurrency IS NULL);
CREATE INDEX jobs_holding ON jobqueue.jobs (concurrency, concurrency_key) WHERE holds;

CREATE TABLE jobqueue.limits (
    name        text PRIMARY KEY CHECK (name <> '' AND length(name) <= 200),
    kind        text NOT NULL CHECK (kind IN ('rate', 'concurrency')),
    amount      integer CHECK (amount BETWEEN 1 AND 1000000000),
    per_seconds double precision CHECK (per_seconds BETWEEN 0.1 AND 31622400),
    burst       integer NOT NULL DEFAULT 1 CHECK (burst >= 1),
    ordered     boolean NOT NULL DEFAULT false,
    fair        boolean NOT NULL DEFAULT false,
    ahead       integer NOT NULL DEFAULT 100 CHECK (ahead BETWEEN 1 AND 100000),
    weights     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(weights) = 'object'),
    held_until  timestamptz,
    removed     boolean NOT NULL DEFAULT false,
    declared    jsonb,
    turn        text NOT NULL DEFAULT '',
    waiting     boolean NOT NULL DEFAULT false,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT limits_rate_has_amount_and_per CHECK (
        CASE kind WHEN 'rate' THEN amount IS NOT NULL AND per_seconds IS NOT NULL AND burst <= amount
                       AND NOT ordered AND NOT fair
                  ELSE per_seconds IS NULL AND (amount IS NOT NULL OR fair)
                       AND (NOT ordered OR amount = 1) END)
)
WITH (fillfactor = 50);
COMMENT ON TABLE jobqueue.limits IS
    'what may run at once or start in a while, by name; change them as you like, workers take notice at once';
COMMENT ON COLUMN jobqueue.limits.amount IS
    'rate: starts in any per_seconds, for each key; concurrency: jobs that run at once, for each key';
COMMENT ON COLUMN jobqueue.limits.ordered IS 'the next job of a key begins when the one before has ended, retries included';
COMMENT ON COLUMN jobqueue.limits.fair IS 'keys take turns; ahead: how many are let through before a worker takes them';
COMMENT ON COLUMN jobqueue.limits.declared IS
    'as code last gave it: the row is changed only when code says something else than before';
COMMENT ON COLUMN jobqueue.limits.removed IS
    'everybody passes. A name that is not here at all is one that its worker has yet to enter: there jobs wait';
COMMENT ON COLUMN jobqueue.limits.turn IS 'fair: the key whose turn was last; waiting: whether any job may be at the gate';

-- Of each key of a rate, all that has to be remembered. Moments in seconds since 1970.
CREATE TABLE jobqueue.rates (
    name       text NOT NULL,
    key        text NOT NULL,
    free_at    double precision NOT NULL DEFAULT '-infinity',
    last_at    double precision NOT NULL DEFAULT '-infinity',
    credit     integer NOT NULL DEFAULT 0,
    heaviest   integer NOT NULL DEFAULT 1,
    held_until double precision NOT NULL DEFAULT '-infinity',
    look_at    double precision,
    PRIMARY KEY (name, key)
)
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0);
COMMENT ON COLUMN jobqueue.rates.free_at IS 'when the next start may be, if everything goes its even pace';
COMMENT ON COLUMN jobqueue.rates.last_at IS 'the latest moment that was given away';
COMMENT ON COLUMN jobqueue.rates.credit IS 'starts of that moment that were given back, and may be made at once';
COMMENT ON COLUMN jobqueue.rates.heaviest IS 'the greatest weight seen: the pace allows for one more of it';
COMMENT ON COLUMN jobqueue.rates.look_at IS 'when to admit more of what waits; NULL: nothing waits';
CREATE INDEX rates_look_at ON jobqueue.rates (look_at) WHERE look_at IS NOT NULL;

-- Requests to look at a gate: only ever appended, so that an enqueue waits for nobody. key NULL: all
-- keys. unused_at: a moment of the rate at which a job of this weight did not start after all.
CREATE TABLE jobqueue.gate_calls (
    name      text NOT NULL,
    id        bigint GENERATED ALWAYS AS IDENTITY,
    key       text,
    unused_at double precision,
    weight    integer,
    PRIMARY KEY (name, id)
)
WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0);

-- What moves jobs past their gates ------------------------------------------------------------------

-- A job that becomes available by whatever way stops at its gates first, unless it is admitted in
-- this very change; one that is put off gives up what it holds. An ordered limit is held through
-- retries. Whoever takes admitted_at away says that the job has not started since.
CREATE FUNCTION jobqueue.stop_at_gate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF NEW.state = 'available' THEN
        IF NEW.admitted_at IS NOT NULL AND NEW.admitted_at IS DISTINCT FROM OLD.admitted_at THEN
            RETURN NEW;
        END IF;
        IF NEW.holds AND EXISTS (
            SELECT FROM jobqueue.pauses AS known
            WHERE known.kind = 'key' AND known.name = NEW.concurrency
              AND known.key = NEW.concurrency_key)
        THEN
            IF EXISTS (SELECT FROM jobqueue.limits AS one
                       WHERE one.name = NEW.concurrency AND one.ordered AND NOT one.removed)
            THEN
                NEW.state := 'scheduled';
                NEW.run_at := pg_catalog.clock_timestamp() + interval '1 s';
                RETURN NEW;
            END IF;
            NEW.holds := NULL;
        END IF;
        IF NEW.concurrency IS NOT NULL AND NEW.holds IS NULL THEN
            NEW.state := 'gated';
            INSERT INTO jobqueue.gate_calls (name, key) VALUES (NEW.concurrency, NEW.concurrency_key);
            IF NEW.rate IS NOT NULL AND OLD.state = 'running' AND NEW.admitted_at IS NULL
               AND OLD.admitted_at IS NOT NULL
            THEN
                INSERT INTO jobqueue.gate_calls (name, key, unused_at, weight) VALUES (
                    NEW.rate, NEW.rate_key, date_part('epoch', OLD.admitted_at), NEW.weight);
            END IF;
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
CREATE TRIGGER stop_at_gate BEFORE UPDATE OF state ON jobqueue.jobs FOR EACH ROW
    WHEN ((NEW.concurrency IS NOT NULL OR NEW.rate IS NOT NULL)
        AND NEW.state <> 'running' AND NEW.state IS DISTINCT FROM OLD.state)
    EXECUTE FUNCTION jobqueue.stop_at_gate();

-- However a job ends, the next of its key can go.
CREATE FUNCTION jobqueue.leave_gate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO jobqueue.gate_calls (name, key) VALUES (OLD.concurrency, OLD.concurrency_key);
    RETURN NULL;
END
$body$;
CREATE TRIGGER leave_gate AFTER DELETE ON jobqueue.jobs FOR EACH ROW WHEN (OLD.holds)
    EXECUTE FUNCTION jobqueue.leave_gate();

-- Admission -----------------------------------------------------------------------------------------
-- In short transactions of its own, by any worker: whoever has a limit's lock admits for all. What an
-- admission sees is what the one before it has committed, for each statement looks anew.

-- Call every key at which a job waits for this limit.
CREATE FUNCTION jobqueue.call_all_keys(limit_name text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
    INSERT INTO jobqueue.gate_calls (name, key)
    WITH RECURSIVE at_concurrency AS (
        SELECT (SELECT min(job.concurrency_key) FROM jobqueue.jobs AS job
                WHERE job.concurrency = call_all_keys.limit_name
                  AND job.state = 'gated' AND job.holds IS NULL) AS key
        UNION ALL
        SELECT (SELECT min(job.concurrency_key) FROM jobqueue.jobs AS job
                WHERE job.concurrency = call_all_keys.limit_name
                  AND job.state = 'gated' AND job.holds IS NULL
                  AND job.concurrency_key > at_concurrency.key)
        FROM at_concurrency WHERE at_concurrency.key IS NOT NULL
    ),
    at_rate AS (
        SELECT (SELECT min(job.rate_key) FROM jobqueue.jobs AS job
                WHERE job.rate = call_all_keys.limit_name
                  AND job.state = 'gated' AND (job.holds OR job.concurrency IS NULL)) AS key
        UNION ALL
        SELECT (SELECT min(job.rate_key) FROM jobqueue.jobs AS job
                WHERE job.rate = call_all_keys.limit_name
                  AND job.state = 'gated' AND (job.holds OR job.concurrency IS NULL)
                  AND job.rate_key > at_rate.key)
        FROM at_rate WHERE at_rate.key IS NOT NULL
    )
    SELECT call_all_keys.limit_name, one.key
    FROM (SELECT key FROM at_concurrency UNION SELECT key FROM at_rate) AS one
    WHERE one.key IS NOT NULL
$body$;

-- Admit up to `most` jobs at the gates of one concurrency limit that were called. again: whether
-- there is more to be done at once; locked: or as soon as somebody has let go of a job.
CREATE FUNCTION jobqueue.admit_called(
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
        WHERE NOT EXISTS (
            SELECT FROM jobqueue.pauses AS known
            WHERE known.kind = 'key' AND known.name = limit_name AND known.key = gate.key)
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

-- Admit jobs of a fair limit: its keys take turns, each as many as its weight, until `ahead` are let
-- through that no worker has taken yet. Calls only say that jobs may wait.
CREATE FUNCTION jobqueue.admit_in_turn(
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
            WHERE NOT EXISTS (
                SELECT FROM jobqueue.pauses AS known
                WHERE known.kind = 'key' AND known.name = rule.name AND known.key = gate.key)
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

CREATE FUNCTION jobqueue.fair_weight(weights jsonb, key text) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT CASE WHEN pg_catalog.jsonb_typeof(weights -> key) = 'number'
        THEN least(greatest((weights ->> key)::numeric, 1), 1000)::integer ELSE 1 END
$body$;

-- The pace of one key of a rate, and what it leaves to be given away. Never more than the amount start
-- in any per_seconds, if each starts within `slack` seconds after its moment:
--   * starts are `pace` seconds apart, so that per_seconds + slack hold as many as the amount; less by
--     what the heaviest job may overshoot;
--   * starts that were left out may be made up for at once, up to the burst, and the next one is as
--     late as if they had kept the pace.
-- Source: generic cell rate algorithm, ITU-T I.371; here a burst is paid for after it, and not before
-- only, lest a window around its beginning holds more than the amount.
-- stands_alone: jobs weigh more than half of all, and each counts for one. earliest: the next moment, at
-- which `at_once` may start; others follow at the pace, and `places` in all until `ahead` seconds from
-- now. The row of the key is locked.
CREATE FUNCTION jobqueue.look_at_rate(
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
        known.held_until, date_part('epoch', coalesce(rule.held_until, '-infinity')),
        -- Whoever resumes the key calls: until then a look now and then is enough.
        (SELECT present + 60 FROM jobqueue.pauses AS known
         WHERE known.kind = 'key' AND known.name = rule.name
           AND known.key = look_at_rate.rate_key));
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

-- Take back a moment that no job has used, so that a slow rate is not without a start for its whole
-- while. Only the latest: after any other there may be starts that were reckoned with it. What has
-- started by then is no more in any window, if the others of this moment start at any time after it.
CREATE FUNCTION jobqueue.take_back_moment(
    rule jobqueue.limits, rate_key text, unused_at double precision, weight integer,
    slack double precision
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
    UPDATE jobqueue.rates AS one
    SET credit = one.credit + units.number,
        free_at = greatest(
            take_back_moment.unused_at,
            one.free_at - units.number * (rule.per_seconds + take_back_moment.slack)
                / CASE WHEN units.stands_alone THEN 1 ELSE rule.amount - one.heaviest + 1 END)
    FROM jobqueue.rates AS mine
    CROSS JOIN LATERAL (
        SELECT mine.heaviest > 1 AND mine.heaviest::bigint * 2 > rule.amount AS stands_alone
    ) AS weighed
    CROSS JOIN LATERAL (
        SELECT weighed.stands_alone,
               CASE WHEN weighed.stands_alone THEN 1
                    ELSE least(coalesce(take_back_moment.weight, 1), rule.amount) END AS number
    ) AS units
    WHERE one.name = rule.name AND one.key = take_back_moment.rate_key
      AND mine.name = one.name AND mine.key = one.key
      -- Moments of jobs are kept to the microsecond.
      AND one.last_at <= take_back_moment.unused_at + 1e-5
$body$;

-- Admit what waits for one key of a rate, each with the moment from which it may start, none of which
-- is further ahead than `ahead` seconds.
CREATE FUNCTION jobqueue.admit_at_pace(
    rule jobqueue.limits, rate_key text, slack double precision, ahead double precision, most integer,
    OUT admitted integer, OUT queues text[]
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    present double precision := date_part('epoch', clock_timestamp());
    look record;
    heavier integer;
    used bigint;
    latest double precision;
BEGIN
    SELECT * INTO look
    FROM jobqueue.look_at_rate(rule, admit_at_pace.rate_key, slack, ahead, most);

    WITH next AS MATERIALIZED (
        SELECT job.id, job.queue, job.priority, job.run_at,
               least(coalesce(job.weight, 1), rule.amount) AS weight
        FROM jobqueue.jobs AS job
        WHERE job.rate = rule.name AND job.rate_key = admit_at_pace.rate_key
          AND job.state = 'gated' AND (job.holds OR job.concurrency IS NULL)
        ORDER BY job.priority, job.run_at, job.id
        LIMIT look.places
        FOR UPDATE SKIP LOCKED
    ),
    placed AS MATERIALIZED (
        SELECT id, queue, weight, (sum(units) OVER (ORDER BY priority, run_at, id)) - units AS before,
               units
        FROM (
            SELECT *, CASE WHEN look.stands_alone THEN 1 ELSE weight END AS units
            FROM next
        ) AS one
    ),
    through AS (
        UPDATE jobqueue.jobs AS job
        SET state = 'available',
            admitted_at = to_timestamp(
                look.earliest
                + CASE WHEN placed.before < look.at_once THEN 0 ELSE placed.before * look.pace END)
        FROM placed
        WHERE job.id = placed.id
          AND job.id = ANY (ARRAY(SELECT id FROM next))
          AND (placed.before < look.at_once
               OR look.earliest + placed.before * look.pace <= present + ahead)
          AND (SELECT max(weight) FROM next) <= look.heaviest
        RETURNING placed.units, job.queue, job.admitted_at
    )
    SELECT (SELECT count(*) FROM through),
           (SELECT sum(units) FROM through),
           ARRAY(SELECT DISTINCT queue FROM through),
           (SELECT max(weight) FROM next),
           (SELECT date_part('epoch', max(admitted_at)) FROM through)
    INTO admitted, used, queues, heavier, latest;

    IF heavier > look.heaviest THEN
        -- From now on at another pace, and nothing of the old one is in the same window.
        UPDATE jobqueue.rates AS one
        SET heaviest = heavier, look_at = present,
            free_at = greatest(one.free_at, CASE WHEN one.free_at = '-infinity' THEN present
                                                 ELSE present + ahead + rule.per_seconds + slack END)
        WHERE one.name = rule.name AND one.key = admit_at_pace.rate_key;
        RETURN;
    END IF;
    -- When half of what may be given away ahead is used up; when nobody waits, not at all: who comes
    -- then will call.
    UPDATE jobqueue.rates AS one
    SET free_at = CASE WHEN used > 0 THEN greatest(one.free_at, look.earliest) + used * look.pace
                       ELSE one.free_at END,
        credit = greatest(one.credit - coalesce(used, 0), 0),
        last_at = greatest(one.last_at, latest),
        look_at = CASE
            WHEN EXISTS (
                SELECT FROM jobqueue.jobs AS job
                WHERE job.rate = rule.name AND job.rate_key = admit_at_pace.rate_key
                  AND job.state = 'gated' AND (job.holds OR job.concurrency IS NULL))
            THEN greatest(
                look.earliest + coalesce(used, 0) * look.pace - ahead / 2,
                present + 0.01)
        END
    WHERE one.name = rule.name AND one.key = admit_at_pace.rate_key;
END
$body$;

-- Give jobs of a worker, which came too late for their moments and keep a slot each, others. Those of
-- which the limit has nothing to give soon are not returned. starts_at 0: there is no rate any more.
CREATE FUNCTION jobqueue.renew_moments(
    ids uuid[], leases bigint[], slack double precision, ahead double precision,
    OUT job_id uuid, OUT starts_at double precision
)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    limit_name text;
    rule jobqueue.limits;
    late record;
    look record;
BEGIN
    FOR limit_name IN
        SELECT DISTINCT job.rate FROM jobqueue.jobs AS job
        WHERE job.id = ANY (renew_moments.ids) AND job.rate IS NOT NULL
        ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended('jobqueue limit ' || limit_name, 0));
        SELECT * INTO rule FROM jobqueue.limits AS one WHERE one.name = limit_name;
        CONTINUE WHEN NOT FOUND;
        FOR late IN
            SELECT job.id, job.rate_key, job.weight,
                   date_part('epoch', job.admitted_at) AS unused_at
            FROM jobqueue.jobs AS job
            JOIN ROWS FROM (unnest(renew_moments.ids), unnest(renew_moments.leases))
                AS mine (id, lease) ON mine.id = job.id AND mine.lease = job.lease
            WHERE job.id = ANY (renew_moments.ids) AND job.rate = limit_name
            ORDER BY job.rate_key, job.priority, job.run_at, job.id
            FOR UPDATE OF job SKIP LOCKED
        LOOP
            job_id := late.id;
            IF rule.removed OR rule.kind <> 'rate' THEN
                starts_at := 0;
                RETURN NEXT;
                CONTINUE;
            END IF;
            PERFORM jobqueue.take_back_moment(
                rule, late.rate_key, late.unused_at, late.weight, slack);
            SELECT * INTO look
            FROM jobqueue.look_at_rate(rule, late.rate_key, slack, ahead, 1);
            late.weight := least(coalesce(late.weight, 1), rule.amount);
            IF look.places = 0 OR late.weight > look.heaviest THEN
                -- It was taken back, and must not be once more.
                UPDATE jobqueue.jobs AS job SET admitted_at = NULL WHERE job.id = late.id;
                CONTINUE;
            END IF;
            starts_at := look.earliest;
            UPDATE jobqueue.rates AS one
            SET last_at = look.earliest,
                credit = greatest(one.credit - late.weight, 0),
                free_at = greatest(one.free_at, look.earliest)
                          + look.pace * CASE WHEN look.stands_alone THEN 1 ELSE late.weight END
            WHERE one.name = limit_name AND one.key = late.rate_key;
            UPDATE jobqueue.jobs AS job SET admitted_at = to_timestamp(look.earliest)
            WHERE job.id = late.id;
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$body$;

-- Let through who waits for a rate that was removed.
CREATE FUNCTION jobqueue.admit_at_will(
    limit_name text, most integer, OUT admitted integer, OUT queues text[]
)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
    WITH through AS (
        UPDATE jobqueue.jobs AS job
        -- It is under no rate any more: there is no moment to be kept.
        SET state = 'available', rate = NULL, admitted_at = clock_timestamp()
        WHERE job.id = ANY (ARRAY(
            SELECT next.id FROM jobqueue.jobs AS next
            WHERE next.rate = admit_at_will.limit_name
              AND next.state = 'gated' AND (next.holds OR next.concurrency IS NULL)
            ORDER BY next.rate_key, next.priority, next.run_at, next.id
            LIMIT admit_at_will.most FOR UPDATE SKIP LOCKED))
        RETURNING job.queue
    )
    SELECT count(*), array_agg(DISTINCT queue) FROM through
$body$;

-- Let through who waits here for a limit of the other kind: a name has one, and that is kept.
CREATE FUNCTION jobqueue.admit_others(
    rule jobqueue.limits, most integer, OUT admitted integer, OUT queues text[]
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF rule.kind = 'concurrency' THEN
        SELECT * INTO admitted, queues FROM jobqueue.admit_at_will(rule.name, most);
        RETURN;
    END IF;
    WITH through AS (
        UPDATE jobqueue.jobs AS job
        SET state = CASE WHEN job.rate IS NULL THEN 'available' ELSE 'gated' END,
            concurrency = NULL, concurrency_key = NULL, admitted_at = clock_timestamp()
        WHERE job.id = ANY (ARRAY(
            SELECT next.id FROM jobqueue.jobs AS next
            WHERE next.concurrency = rule.name AND next.state = 'gated' AND next.holds IS NULL
            ORDER BY next.concurrency_key, next.priority, next.run_at, next.id
            LIMIT most FOR UPDATE SKIP LOCKED))
        RETURNING job.queue, job.rate, job.rate_key
    ),
    onward AS (
        INSERT INTO jobqueue.gate_calls (name, key)
        SELECT DISTINCT rate, rate_key FROM through WHERE rate IS NOT NULL
    )
    SELECT count(*), array_agg(DISTINCT queue) FILTER (WHERE rate IS NULL)
    INTO admitted, queues FROM through;
END
$body$;

-- Admit at the keys of one rate that were called, or have become due.
CREATE FUNCTION jobqueue.admit_rate(
    rule jobqueue.limits, slack double precision, ahead double precision, most integer,
    OUT admitted integer, OUT queues text[], OUT again boolean
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    part record;
    one_key text;
    keys text[];
    all_keys boolean;
    unused jobqueue.gate_calls[];
    one_unused jobqueue.gate_calls;
BEGIN
    admitted := 0;
    WITH gone AS (
        DELETE FROM jobqueue.gate_calls AS call
        WHERE call.name = rule.name AND call.id = ANY (ARRAY(
            SELECT one.id FROM jobqueue.gate_calls AS one WHERE one.name = rule.name
            ORDER BY one.id LIMIT most FOR UPDATE SKIP LOCKED))
        RETURNING call.*
    ),
    due AS (
        SELECT one.key FROM jobqueue.rates AS one
        WHERE one.name = rule.name AND one.look_at <= date_part('epoch', clock_timestamp())
        ORDER BY one.look_at LIMIT most
    )
    SELECT array_agg(any_of.key) FILTER (WHERE any_of.key IS NOT NULL), count(*) > count(any_of.key),
           (SELECT count(*) FROM gone) >= most,
           (SELECT array_agg(gone::jobqueue.gate_calls ORDER BY unused_at DESC) FROM gone
            WHERE unused_at IS NOT NULL)
    INTO keys, all_keys, again, unused
    FROM (SELECT key FROM gone UNION SELECT key FROM due) AS any_of;
    IF all_keys THEN
        PERFORM jobqueue.call_all_keys(rule.name);
        again := true;
    END IF;
    IF rule.removed THEN
        SELECT * INTO admitted, queues FROM jobqueue.admit_at_will(rule.name, most);
        again := again OR admitted >= most;
        UPDATE jobqueue.rates AS one SET look_at = NULL
        WHERE one.name = rule.name AND one.look_at IS NOT NULL AND admitted < most;
        RETURN;
    END IF;
    FOREACH one_unused IN ARRAY coalesce(unused, '{}') LOOP
        PERFORM jobqueue.take_back_moment(
            rule, one_unused.key, one_unused.unused_at, one_unused.weight, slack);
    END LOOP;
    FOREACH one_key IN ARRAY coalesce(keys, '{}') LOOP
        SELECT * INTO part FROM jobqueue.admit_at_pace(rule, one_key, slack, ahead, most);
        admitted := admitted + coalesce(part.admitted, 0);
        queues := queues || part.queues;
    END LOOP;
END
$body$;

-- Admit whatever may go. pause: how many seconds until it is worth a look again; NULL: until somebody
-- calls; infinity: until there is a limit at all. slack, ahead: as admit_at_pace.
CREATE FUNCTION jobqueue.admit(
    slack double precision, ahead double precision, most integer,
    OUT admitted integer, OUT queues text[], OUT pause double precision
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    limit_name text;
    rule jobqueue.limits;
    part record;
    woken text;
BEGIN
    admitted := 0;
    queues := '{}';
    IF NOT EXISTS (SELECT FROM jobqueue.limits) THEN
        pause := 'infinity';
        RETURN;
    END IF;
    FOR limit_name IN
        WITH RECURSIVE called AS (
            (SELECT call.name FROM jobqueue.gate_calls AS call ORDER BY call.name, call.id LIMIT 1)
            UNION ALL
            SELECT (SELECT call.name FROM jobqueue.gate_calls AS call WHERE call.name > called.name
                    ORDER BY call.name, call.id LIMIT 1)
            FROM called WHERE called.name IS NOT NULL
        )
        SELECT called.name FROM called WHERE called.name IS NOT NULL
        UNION
        SELECT due.name FROM jobqueue.rates AS due
        WHERE due.look_at <= date_part('epoch', now())
        UNION
        SELECT fair.name FROM jobqueue.limits AS fair WHERE fair.fair AND fair.waiting
        ORDER BY 1
    LOOP
        -- Whoever has it sees to the calls that were made before; for those made since, come back.
        IF NOT pg_try_advisory_xact_lock(hashtextextended('jobqueue limit ' || limit_name, 0)) THEN
            pause := least(pause, 0.005);
            CONTINUE;
        END IF;
        SELECT * INTO rule FROM jobqueue.limits AS one WHERE one.name = limit_name;
        -- Its worker has yet to enter it.
        CONTINUE WHEN NOT FOUND;
        IF rule.kind = 'rate' THEN
            SELECT * INTO part FROM jobqueue.admit_rate(rule, slack, ahead, most);
            pause := least(pause, CASE WHEN part.again THEN 0 END);
        ELSIF rule.held_until > clock_timestamp() AND NOT rule.removed THEN
            -- The calls stay until then.
            pause := least(pause, date_part('epoch', rule.held_until - clock_timestamp()));
            CONTINUE;
        ELSIF rule.fair AND NOT rule.removed THEN
            SELECT * INTO part FROM jobqueue.admit_in_turn(rule);
            pause := least(pause, CASE WHEN part.full_up THEN 0.02 ELSE 0.05 END);
        ELSE
            SELECT * INTO part FROM jobqueue.admit_called(rule, most);
            pause := least(pause, CASE WHEN part.again THEN 0 WHEN part.locked THEN 0.05 END);
        END IF;
        admitted := admitted + part.admitted;
        queues := queues || part.queues;
        SELECT * INTO part FROM jobqueue.admit_others(rule, most);
        admitted := admitted + part.admitted;
        queues := queues || part.queues;
        pause := least(pause, CASE WHEN part.admitted >= most THEN 0 END);
    END LOOP;
    queues := ARRAY(SELECT DISTINCT one.queue FROM unnest(queues) AS one (queue));
    FOREACH woken IN ARRAY queues LOOP
        PERFORM jobqueue.wake(woken);
    END LOOP;
    -- No row, no look: greatest() would make a zero of that.
    pause := least(pause, (
        SELECT greatest(one.look_at - date_part('epoch', clock_timestamp()), 0)
        FROM jobqueue.rates AS one WHERE one.look_at IS NOT NULL
        ORDER BY one.look_at LIMIT 1));
END
$body$;

-- Forget keys of rates that are as good as new. Returns how many.
CREATE FUNCTION jobqueue.prune_rates(slack double precision, most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    gone integer;
BEGIN
    DELETE FROM jobqueue.rates WHERE ctid = ANY (ARRAY(
        SELECT old.ctid FROM jobqueue.rates AS old
        LEFT JOIN jobqueue.limits AS rule ON rule.name = old.name
        WHERE old.look_at IS NULL
          AND greatest(old.free_at, old.held_until)
              < date_part('epoch', clock_timestamp()) - coalesce(rule.per_seconds, 0) - slack
        LIMIT most FOR UPDATE OF old SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$body$;

-- Limits --------------------------------------------------------------------------------------------

-- A changed limit is looked at anew, at every key, and at once.
CREATE FUNCTION jobqueue.limit_changes() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO jobqueue.gate_calls (name, key) VALUES (NEW.name, NULL);
    PERFORM pg_catalog.pg_notify('jobqueue_leader', 'admit');
    RETURN NULL;
END
$body$;
CREATE TRIGGER limit_changes AFTER INSERT OR UPDATE OF kind, amount, per_seconds, burst, ordered, fair,
    ahead, weights, held_until, removed
    ON jobqueue.limits FOR EACH ROW EXECUTE FUNCTION jobqueue.limit_changes();

-- Let nothing through a limit for so long from now, or through one key of a rate; what was let through
-- already starts. Never shortens a hold. Returns until when; NULL: there is no such limit.
CREATE FUNCTION jobqueue.hold_v1(name text, seconds double precision, key text DEFAULT NULL)
RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    until timestamptz;
BEGIN
    IF (hold_v1.seconds BETWEEN 0 AND 31622400) IS NOT TRUE THEN
        RAISE EXCEPTION 'hold of % seconds: not between 0 and 366 days', hold_v1.seconds
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    until := clock_timestamp() + make_interval(secs => hold_v1.seconds);
    IF hold_v1.key IS NULL THEN
        UPDATE jobqueue.limits AS one
        SET held_until = greatest(one.held_until, until)
        WHERE one.name = hold_v1.name AND NOT one.removed
        RETURNING one.held_until INTO until;
        RETURN until;
    END IF;
    IF NOT EXISTS (SELECT FROM jobqueue.limits AS one
                   WHERE one.name = hold_v1.name AND one.kind = 'rate' AND NOT one.removed)
    THEN
        RETURN NULL;
    END IF;
    INSERT INTO jobqueue.rates AS one (name, key, held_until)
    VALUES (hold_v1.name, hold_v1.key, date_part('epoch', until))
    ON CONFLICT ON CONSTRAINT rates_pkey DO UPDATE
    SET held_until = greatest(one.held_until, excluded.held_until)
    RETURNING to_timestamp(one.held_until) INTO until;
    RETURN until;
END
$body$;

-- End the holds of a limit, and of all its keys. Returns whether there is such a limit.
CREATE FUNCTION jobqueue.release_v1(name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    UPDATE jobqueue.rates AS one SET held_until = '-infinity'
    WHERE one.name = release_v1.name AND one.held_until > '-infinity';
    UPDATE jobqueue.limits AS one SET held_until = NULL
    WHERE one.name = release_v1.name AND NOT one.removed;
    RETURN FOUND;
END
$body$;

-- Enqueue -------------------------------------------------------------------------------------------

-- Call the leader to a gate at once, if a worker has nothing to do; otherwise it looks soon by itself.
CREATE FUNCTION jobqueue.wake_gatekeeper() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF EXISTS (SELECT FROM jobqueue.workers AS worker WHERE worker.sleeping <> '{}') THEN
        PERFORM pg_catalog.pg_notify('jobqueue_leader', 'admit');
    END IF;
END
$body$;

-- Enqueue jobs of one task that are under limits; as enqueue_many_v1. concurrency_keys, rate_keys:
-- one for each job; NULL: all are under the same.
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
    due timestamptz := coalesce(enqueue_gated_v1.run_at, moment + enqueue_gated_v1.delay, moment);
    done_ids uuid[];
    done_outcomes text[];
    after interval := enqueue_gated_v1.expires_in;
BEGIN
    IF pg_catalog.jsonb_typeof(enqueue_gated_v1.args) = 'array'
       AND pg_catalog.jsonb_array_length(enqueue_gated_v1.args) <> ANY (ARRAY[
           pg_catalog.cardinality(concurrency_keys), pg_catalog.cardinality(rate_keys)])
    THEN
        RAISE EXCEPTION 'concurrency_keys, rate_keys: not one for each of % jobs; give as many, or NULL',
            pg_catalog.jsonb_array_length(enqueue_gated_v1.args)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF enqueue_gated_v1.expires_at IS NULL AND after IS NULL THEN
        SELECT pg_catalog.make_interval(secs => known.expires_seconds) INTO after
        FROM jobqueue.tasks AS known
        WHERE known.name = enqueue_gated_v1.task AND known.expires_seconds IS NOT NULL;
    ELSIF enqueue_gated_v1.expires_at IS DISTINCT FROM 'infinity' OR after IS NOT NULL THEN
        PERFORM jobqueue.check_expiry(enqueue_gated_v1.expires_at, after, enqueue_gated_v1.run_at);
    END IF;
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
            timeout_seconds, concurrency, concurrency_key, rate, rate_key, weight, expires_at)
        SELECT jobqueue.uuid_v7(), due, moment, enqueue_gated_v1.priority,
               enqueue_gated_v1.max_attempts,
               CASE WHEN due > moment THEN 'scheduled' ELSE 'gated' END,
               enqueue_gated_v1.queue, enqueue_gated_v1.task, one.args,
               extract(epoch FROM timeout)::real, enqueue_gated_v1.concurrency,
               CASE WHEN enqueue_gated_v1.concurrency IS NOT NULL
                   THEN coalesce(one.concurrency_key, '') END,
               enqueue_gated_v1.rate,
               CASE WHEN enqueue_gated_v1.rate IS NOT NULL THEN coalesce(one.rate_key, '') END,
               enqueue_gated_v1.weight,
               CASE WHEN enqueue_gated_v1.expires_at < 'infinity' OR after IS NOT NULL
                    THEN jobqueue.expiry(enqueue_gated_v1.expires_at, after, due) END
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
        enqueue_gated_v1.unique_mode, enqueue_gated_v1.unique_window, enqueue_gated_v1.timeout,
        enqueue_gated_v1.expires_at, enqueue_gated_v1.expires_in
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

-- Call the gates of new jobs: the first of two.
CREATE FUNCTION jobqueue.call_gates(
    concurrency text, concurrency_keys text[], rate text, rate_keys text[]
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO jobqueue.gate_calls (name, key)
    SELECT coalesce(concurrency, rate), gate.key
    FROM (
        SELECT DISTINCT coalesce(one.key, '') AS key
        -- Without keys they are all under the same one.
        FROM unnest(coalesce(
            CASE WHEN concurrency IS NULL THEN rate_keys ELSE concurrency_keys END, ARRAY['']))
            AS one (key)
    ) AS gate;
    PERFORM jobqueue.wake_gatekeeper();
END
$body$;

-- Put jobs that an enqueue has made or replaced under their limits, before anybody sees them.
CREATE FUNCTION jobqueue.put_under_limits(
    ids uuid[], outcomes text[], concurrency text, concurrency_keys text[], rate text,
    rate_keys text[], weight integer
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
#variable_conflict use_column
DECLARE
    stopped integer;
BEGIN
    WITH one AS (
        SELECT DISTINCT ON (given.id) given.*
        FROM ROWS FROM (
            unnest(ids), unnest(outcomes), unnest(concurrency_keys), unnest(rate_keys)
        ) WITH ORDINALITY AS given (id, outcome, concurrency_key, rate_key, position)
        WHERE given.outcome <> 'met'
        ORDER BY given.id, given.position DESC
    ),
    given_up AS (
        -- One that was replaced may have been let through already.
        INSERT INTO jobqueue.gate_calls (name, key)
        SELECT DISTINCT job.concurrency, job.concurrency_key
        FROM jobqueue.jobs AS job
        WHERE job.id = ANY (ARRAY(SELECT id FROM one)) AND job.holds
    ),
    put AS (
        UPDATE jobqueue.jobs AS job
        SET concurrency = put_under_limits.concurrency,
            concurrency_key = CASE WHEN put_under_limits.concurrency IS NOT NULL
                THEN coalesce(one.concurrency_key, '') END,
            rate = put_under_limits.rate,
            rate_key = CASE WHEN put_under_limits.rate IS NOT NULL
                THEN coalesce(one.rate_key, '') END,
            weight = put_under_limits.weight,
            holds = NULL,
            state = CASE WHEN job.state = 'available' THEN 'gated' ELSE job.state END
        FROM one
        WHERE job.id = one.id AND job.id = ANY (ids)
          AND job.state IN ('available', 'gated', 'scheduled', 'blocked')
        RETURNING job.state
    )
    SELECT pg_catalog.count(*) INTO stopped FROM put WHERE state = 'gated';
    IF stopped > 0 THEN
        PERFORM jobqueue.call_gates(
            put_under_limits.concurrency, concurrency_keys, put_under_limits.rate, rate_keys);
    END IF;
END
$body$;

-- Queues --------------------------------------------------------------------------------------------

ALTER TABLE jobqueue.queues ADD COLUMN concurrency integer CHECK (concurrency >= 1);
COMMENT ON COLUMN jobqueue.queues.concurrency IS
    'how many of its jobs run at once, by all workers together; NULL: as many as they have slots';

-- Workers hear of limits of queues as they hear of pauses.
CREATE TRIGGER tell_of_limits AFTER INSERT OR DELETE OR UPDATE OF concurrency ON jobqueue.queues
    FOR EACH STATEMENT EXECUTE FUNCTION jobqueue.tell_of_pauses();

-- How many of a limited queue's places each worker has. They go with its row: when it leaves, or when
-- it is struck off and its jobs are taken back, in that very transaction.
CREATE TABLE jobqueue.queue_places (
    queue     text NOT NULL,
    worker_id bigint NOT NULL REFERENCES jobqueue.workers ON DELETE CASCADE,
    places    integer NOT NULL,
    wants     integer NOT NULL,
    PRIMARY KEY (queue, worker_id)
);
CREATE INDEX queue_places_worker_id ON jobqueue.queue_places (worker_id);

-- Share out the places of a limited queue: give a worker those it may use from now on, never fewer than
-- it uses already. running: how many it uses, and starts no more until it has the answer. most: its
-- slots. NULL: the queue has no limit.
-- Those that are short get a fair share as others give theirs back, each when it asks.
CREATE FUNCTION jobqueue.share_places(worker_id bigint, queue text, running integer, most integer)
RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    amount integer;
    taken integer;
    contenders integer;
    short boolean;
    wanted integer := share_places.most;
    given integer;
BEGIN
    SELECT one.concurrency INTO amount FROM jobqueue.queues AS one
    WHERE one.name = share_places.queue AND one.concurrency IS NOT NULL
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        DELETE FROM jobqueue.queue_places AS mine
        WHERE mine.queue = share_places.queue AND mine.worker_id = share_places.worker_id;
        RETURN NULL;
    END IF;
    IF NOT EXISTS (
        SELECT FROM jobqueue.jobs AS job
        WHERE job.queue = share_places.queue AND job.state = 'available'
    ) THEN
        wanted := share_places.running;
    END IF;
    SELECT coalesce(sum(other.places), 0), count(*) FILTER (WHERE other.wants > 0) + 1,
           coalesce(bool_or(other.wants > other.places), false)
    INTO taken, contenders, short
    FROM jobqueue.queue_places AS other
    WHERE other.queue = share_places.queue AND other.worker_id <> share_places.worker_id;
    given := least(wanted, amount - taken);
    IF short THEN
        given := least(given, ceil(amount::numeric / contenders)::integer);
    END IF;
    given := greatest(given, share_places.running);
    INSERT INTO jobqueue.queue_places AS mine (queue, worker_id, places, wants)
    VALUES (share_places.queue, share_places.worker_id, given, wanted)
    ON CONFLICT ON CONSTRAINT queue_places_pkey DO UPDATE
    SET places = excluded.places, wants = excluded.wants
    WHERE (mine.places, mine.wants) <> (excluded.places, excluded.wants);
    RETURN given;
END
$body$;

-- By hand ------------------------------------------------------------------------------------------

-- Make a waiting job run now, or put a dead one back. Returns 'available', 'redriven', or why not:
-- 'running', 'blocked', 'waiting', 'gated', 'ended', 'unknown'.
CREATE OR REPLACE FUNCTION jobqueue.retry_v1(id uuid) RETURNS text
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
            PERFORM jobqueue.wake(to_queue), jobqueue.wake_gatekeeper();
            RETURN 'available';
        END IF;
        IF jobqueue.redrive_v1(retry_v1.id) THEN
            RETURN 'redriven';
        END IF;
        found_in := (SELECT state FROM jobqueue.all_jobs WHERE id = retry_v1.id LIMIT 1);
        IF found_in IS NULL THEN
            RETURN 'unknown';
        ELSIF found_in IN ('available', 'running', 'blocked', 'waiting', 'gated') THEN
            RETURN found_in;
        ELSIF found_in IN ('completed', 'cancelled') THEN
            RETURN 'ended';
        END IF;
        -- It became what we look for between our looks: once more.
    END LOOP;
END
$body$;

-- Keys that are paused, and jobs whose keys were contested -----------------------------------------

-- A key that is resumed is looked at anew, and at once.
CREATE FUNCTION jobqueue.call_resumed_key() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO jobqueue.gate_calls (name, key) VALUES (OLD.name, OLD.key);
    PERFORM pg_catalog.pg_notify('jobqueue_leader', 'admit');
    RETURN NULL;
END
$body$;
CREATE TRIGGER call_resumed_key AFTER UPDATE OR DELETE ON jobqueue.pauses
    FOR EACH ROW WHEN (OLD.kind = 'key') EXECUTE FUNCTION jobqueue.call_resumed_key();

CREATE FUNCTION jobqueue.call_resumed_keys() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO jobqueue.gate_calls (name, key) SELECT one.name, NULL FROM jobqueue.limits AS one;
    PERFORM pg_catalog.pg_notify('jobqueue_leader', 'admit');
    RETURN NULL;
END
$body$;
CREATE TRIGGER call_resumed_keys AFTER TRUNCATE ON jobqueue.pauses
    FOR EACH STATEMENT EXECUTE FUNCTION jobqueue.call_resumed_keys();

-- As before, and a job that was contested keeps its limits.
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
            IF job.concurrency IS NOT NULL OR job.rate IS NOT NULL THEN
                PERFORM jobqueue.put_under_limits(
                    ARRAY[answer.job_id], ARRAY[answer.outcome], job.concurrency,
                    ARRAY[job.concurrency_key], job.rate, ARRAY[job.rate_key], job.weight);
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

-- Rights ---------------------------------------------------------------------------------------------

ALTER FUNCTION jobqueue.enqueue_gated_v1 SECURITY DEFINER;
ALTER FUNCTION jobqueue.wake_gatekeeper SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION jobqueue.enqueue_gated_v1, jobqueue.put_under_limits, jobqueue.call_gates,
    jobqueue.admit, jobqueue.admit_called, jobqueue.admit_in_turn, jobqueue.admit_rate,
    jobqueue.admit_at_pace, jobqueue.look_at_rate, jobqueue.take_back_moment,
    jobqueue.renew_moments, jobqueue.admit_at_will, jobqueue.admit_others, jobqueue.call_all_keys,
    jobqueue.prune_rates, jobqueue.wake_gatekeeper, jobqueue.fair_weight, jobqueue.stop_at_gate,
    jobqueue.leave_gate, jobqueue.limit_changes, jobqueue.call_resumed_key,
    jobqueue.call_resumed_keys,
    jobqueue.hold_v1, jobqueue.release_v1, jobqueue.share_places FROM PUBLIC;

-- Who could enqueue or work until now still can.
DO $keep$
DECLARE
    may record;
BEGIN
    FOR may IN
        SELECT DISTINCT given.rights,
               CASE WHEN one.grantee = 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END AS role
        FROM (VALUES
            ('SELECT, INSERT, UPDATE, DELETE ON jobqueue.limits, jobqueue.rates, jobqueue.gate_calls,'
                ' jobqueue.queue_places'),
            ('EXECUTE ON FUNCTION jobqueue.enqueue_gated_v1, jobqueue.put_under_limits,'
                ' jobqueue.call_gates, jobqueue.admit, jobqueue.admit_called,'
                ' jobqueue.admit_in_turn, jobqueue.admit_rate, jobqueue.admit_at_pace,'
                ' jobqueue.look_at_rate, jobqueue.take_back_moment, jobqueue.renew_moments,'
                ' jobqueue.admit_at_will, jobqueue.admit_others, jobqueue.call_all_keys,'
                ' jobqueue.prune_rates, jobqueue.wake_gatekeeper, jobqueue.fair_weight,'
                ' jobqueue.hold_v1, jobqueue.release_v1, jobqueue.share_places')
        ) AS given (rights)
        JOIN pg_catalog.pg_class AS class ON class.oid = 'jobqueue.job_history'::regclass
        CROSS JOIN LATERAL pg_catalog.aclexplode(class.relacl) AS one
        WHERE one.privilege_type = 'DELETE' AND one.grantee <> class.relowner
    LOOP
        EXECUTE pg_catalog.format('GRANT %s TO %s', may.rights, may.role);
    END LOOP;
    FOR may IN
        SELECT DISTINCT CASE WHEN one.grantee = 0 THEN 'PUBLIC'
                             ELSE one.grantee::regrole::text END AS role
        FROM pg_catalog.pg_proc AS function
        CROSS JOIN LATERAL pg_catalog.aclexplode(function.proacl) AS one
        WHERE function.pronamespace = 'jobqueue'::regnamespace
          AND function.proname = 'enqueue_many_v1' AND one.grantee <> function.proowner
    LOOP
        EXECUTE pg_catalog.format(
            'GRANT EXECUTE ON FUNCTION jobqueue.enqueue_gated_v1 TO %s', may.role);
    END LOOP;
END
$keep$;
