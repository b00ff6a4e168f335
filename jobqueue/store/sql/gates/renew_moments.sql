-- Give claimed jobs other moments of their rates, because they came too late for theirs.
-- index: jobs_pkey.
SELECT job_id::text, starts_at
FROM jobqueue.renew_moments(
    %(ids)s::uuid[], %(leases)s::bigint[], %(slack)s::double precision, %(ahead)s::double precision)
