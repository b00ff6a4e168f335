-- Make due jobs available, earliest first, at most `limit` of them, and wake workers for them.
-- Gives how many there were, and the seconds until the next one is due (NULL: none scheduled).
-- index: jobs_scheduled. now(), not clock_timestamp(): a volatile bound would not stop the scan.
WITH promoted AS (
    UPDATE jobqueue.jobs AS job
    SET state = 'available'
    WHERE job.id = ANY (ARRAY(
        SELECT due.id
        FROM jobqueue.jobs AS due
        WHERE due.state = 'scheduled' AND due.run_at <= now()
        ORDER BY due.run_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING job.queue
),
woken AS (
    SELECT jobqueue.wake(touched.queue) FROM (SELECT DISTINCT queue FROM promoted) AS touched
)
SELECT (SELECT count(*) FROM promoted) + 0 * (SELECT count(*) FROM woken),
       (SELECT extract(epoch FROM min(later.run_at) - clock_timestamp())::double precision
        FROM jobqueue.jobs AS later
        -- Before PostgreSQL 17 nothing can be taken from infinity.
        WHERE later.state = 'scheduled' AND later.run_at > now() AND later.run_at < 'infinity')
