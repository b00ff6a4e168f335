-- Takes away limits. Jobs that wait at their gates become available.
LOCK TABLE jobqueue.tasks, jobqueue.queues IN ACCESS EXCLUSIVE MODE;
LOCK TABLE jobqueue.workers IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE jobqueue.all_jobs IN ACCESS EXCLUSIVE MODE;
UPDATE jobqueue.schema_version SET version = 4;
DROP TRIGGER stop_at_gate ON jobqueue.jobs;
DROP TRIGGER leave_gate ON jobqueue.jobs;
UPDATE jobqueue.jobs SET state = 'available' WHERE state = 'gated';
DROP FUNCTION jobqueue.share_places;
DROP TABLE jobqueue.queue_places;
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

