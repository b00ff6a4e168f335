-- Decide about jobs whose key another transaction held; usually there are none, which costs a look.
-- index: jobs_contested
SELECT CASE
    WHEN EXISTS (SELECT FROM jobqueue.jobs AS job WHERE job.contested IS NOT NULL)
    THEN jobqueue.settle_contested(%(limit)s)
    ELSE 0
END
