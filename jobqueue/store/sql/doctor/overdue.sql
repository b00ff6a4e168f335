-- Jobs that should have been promoted: how many, counted up to 1,000, and how late the first is.
-- seconds: from which lateness on.
-- index: jobs_scheduled
SELECT count(*), extract(epoch FROM clock_timestamp() - min(late.run_at))::double precision
FROM (
    SELECT job.run_at
    FROM jobqueue.jobs AS job
    WHERE job.state = 'scheduled'
      AND job.run_at < now() - make_interval(secs => %(seconds)s::double precision)
    ORDER BY job.run_at
    LIMIT 1000
) AS late
