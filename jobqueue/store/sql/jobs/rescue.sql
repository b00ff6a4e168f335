-- Take back what workers held whose lease has expired, and strike those workers off.
-- A job with attempts left is available at once; one without becomes a dead letter. One that was lost
-- before is put off by a random while, 10 s at most the second time, then 20 s and so on: it may be
-- what kills the workers, and those that were claimed together with it are to part from it. One that
-- somebody asked to cancel meanwhile moves to history. Safe if two leaders ran it: each worker row is
-- locked by one of them, and an ack that comes first wins.
-- Gives each worker and how many of its jobs were retried, buried and cancelled.
WITH expired AS (
    DELETE FROM jobqueue.workers AS worker
    WHERE worker.id = ANY (ARRAY(
        SELECT id FROM jobqueue.workers WHERE expires_at < clock_timestamp()
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING worker.id, worker.name, worker.expires_at
),
held AS (
    SELECT job.id, job.attempt >= job.max_attempts AS out_of_attempts,
           CASE WHEN past.losses > 0
               THEN random() * least(5 * power(2, past.losses), 300) ELSE 0 END AS put_off_seconds,
           jsonb_build_object(
               'error', 'WorkerLost',
               'message', format(
                   CASE expired.expires_at WHEN '-infinity' THEN 'worker %%s ended while the job ran'
                   ELSE 'worker %%s stopped sending heartbeats' END, expired.name),
               'attempt', job.attempt, 'worker_id', job.worker_id,
               'started_at', job.started_at, 'failed_at', now()) AS error
    FROM jobqueue.jobs AS job
    JOIN expired ON expired.id = job.worker_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS losses FROM jsonb_array_elements(job.errors) AS one
        WHERE one ->> 'error' = 'WorkerLost'
    ) AS past
    -- With nobody expired, which is nearly always, the table is not read at all.
    WHERE job.state = 'running' AND (SELECT count(*) FROM expired) > 0
    -- By id, which is how acks take them, or the two could wait for each other.
    ORDER BY job.id
    FOR UPDATE OF job
),
asked AS (
    SELECT job_id FROM jobqueue.cancel_requests WHERE job_id = ANY (ARRAY(SELECT id FROM held))
),
retried AS (
    UPDATE jobqueue.jobs AS job
    SET state = CASE WHEN held.put_off_seconds > 0 THEN 'scheduled' ELSE 'available' END,
        run_at = CASE WHEN held.put_off_seconds > 0
                      THEN now() + make_interval(secs => held.put_off_seconds) ELSE job.run_at END,
        worker_id = NULL, lease = NULL, started_at = NULL, expires_at = NULL, progress = NULL,
        progress_message = NULL, errors = coalesce(job.errors, '[]') || held.error
    FROM held
    WHERE job.id = held.id AND NOT held.out_of_attempts
      AND held.id <> ALL (ARRAY(SELECT job_id FROM asked))
    RETURNING job.queue, (held.error ->> 'worker_id')::bigint AS worker_id
),
gone AS (
    DELETE FROM jobqueue.jobs AS job
    USING held
    WHERE job.id = held.id
      AND (held.out_of_attempts OR held.id = ANY (ARRAY(SELECT job_id FROM asked)))
    RETURNING job.*, coalesce(job.errors, '[]') || held.error AS all_errors
),
buried AS (
    INSERT INTO jobqueue.dead_letters (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, queue, task, args, errors, timeout_seconds)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, priority, attempt,
           max_attempts, queue, task, args, all_errors, timeout_seconds
    FROM gone
    WHERE id <> ALL (ARRAY(SELECT job_id FROM asked))
    RETURNING worker_id
),
cancelled AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, state, queue, task, args, errors)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, priority, attempt,
           max_attempts, 'cancelled', queue, task, args, all_errors
    FROM gone
    WHERE id = ANY (ARRAY(SELECT job_id FROM asked))
    RETURNING worker_id
),
woken AS (
    SELECT jobqueue.wake(touched.queue) FROM (SELECT DISTINCT queue FROM retried) AS touched
)
SELECT expired.name,
       (SELECT count(*) FROM retried WHERE retried.worker_id = expired.id),
       (SELECT count(*) FROM buried WHERE buried.worker_id = expired.id),
       (SELECT count(*) FROM cancelled WHERE cancelled.worker_id = expired.id),
       (SELECT count(*) FROM woken)
FROM expired
