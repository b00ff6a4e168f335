-- Give claimed jobs other moments of their rates, because they came too late for theirs.
-- The function reads jobs_pkey, and of rates the rows of their keys.
SELECT job_id::text, starts_at
FROM jobqueue.renew_moments(
    %(ids)s::uuid[], %(leases)s::bigint[], %(slack)s::double precision, %(ahead)s::double precision)
