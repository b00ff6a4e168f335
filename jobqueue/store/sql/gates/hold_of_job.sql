-- Hold the rate that a job is under, or its key there; whatever became of the job meanwhile.
-- index: jobs_pkey
SELECT jobqueue.hold_v1(job.rate, %(seconds)s::double precision, nullif(job.rate_key, ''))
FROM jobqueue.jobs AS job
WHERE job.id = %(id)s::uuid AND job.rate IS NOT NULL
