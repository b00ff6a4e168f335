-- Takes away limits. Jobs that wait at their gates become available.
LOCK TABLE jobqueue.tasks, jobqueue.queues IN ACCESS EXCLUSIVE MODE;
LOCK TABLE jobqueue.workers IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;
UPDATE jobqueue.schema_version SET version = 5;
DROP TRIGGER stop_at_gate ON jobqueue.jobs;
DROP TRIGGER leave_gate ON jobqueue.jobs;
UPDATE jobqueue.jobs SET state = 'available' WHERE state = 'gated';
DROP FUNCTION jobqueue.share_places;
DROP TABLE jobqueue.queue_places;
DROP TRIGGER tell_of_limits ON jobqueue.queues;
ALTER TABLE jobqueue.queues DROP COLUMN concurrency;
DROP TABLE jobqueue.rates, jobqueue.gate_calls, jobqueue.limits CASCADE;
DROP FUNCTION jobqueue.stop_at_gate, jobqueue.leave_gate, jobqueue.limit_changes, jobqueue.hold_v1,
    jobqueue.release_v1, jobqueue.wake_gatekeeper, jobqueue.enqueue_gated_v1, jobqueue.call_gates,
    jobqueue.put_under_limits, jobqueue.prune_rates, jobqueue.renew_moments, jobqueue.admit, jobqueue.admit_at_will,
    jobqueue.fair_weight, jobqueue.call_all_keys;
ALTER TABLE jobqueue.jobs
    DROP COLUMN concurrency, DROP COLUMN concurrency_key, DROP COLUMN rate, DROP COLUMN rate_key,
    DROP COLUMN weight, DROP COLUMN holds, DROP COLUMN admitted_at,
    DROP CONSTRAINT jobs_state_check,
    ADD CONSTRAINT jobs_state_check CHECK (
        state IN ('scheduled', 'available', 'running', 'blocked', 'waiting'));

-- Make a waiting job run now, or put a dead one back. Returns 'available', 'redriven', or why not:
-- 'running', 'blocked', 'waiting', 'ended', 'unknown'.
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

DROP TRIGGER call_resumed_key ON jobqueue.pauses;
DROP TRIGGER call_resumed_keys ON jobqueue.pauses;
DROP FUNCTION jobqueue.call_resumed_key, jobqueue.call_resumed_keys;
DELETE FROM jobqueue.pauses WHERE kind = 'key';

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
