-- Jobs that wait for another transaction to let go of their key: how many, counted up to 1,000, since
-- how long, and the id of one.
-- seconds: from which age on.
-- index: jobs_contested
SELECT count(*), extract(epoch FROM clock_timestamp() - min(held.enqueued_at))::double precision,
       min(held.id::text)
FROM (
    SELECT job.id, job.enqueued_at
    FROM jobqueue.jobs AS job
    WHERE job.contested IS NOT NULL
      AND job.enqueued_at < clock_timestamp() - make_interval(secs => %(seconds)s::double precision)
    ORDER BY job.id
    LIMIT 1000
) AS held
