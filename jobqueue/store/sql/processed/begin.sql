-- Begin to make a job's effects in this transaction. Gives whether they were made before; whether
-- no other delivery is in the middle of them; whether the job is still under this lease; and the
-- transaction's number.
-- Another delivery is never waited for: it may be a frozen worker's. The lock keeps two from working
-- side by side for nothing; that only one is committed is seen to by the lease (processed/complete).
-- While the transaction lasts its session bears the worker's number, so that it can be ended when
-- the worker is lost (workers/end_transactions).
-- index: processed_ids_pkey
-- index: jobs_pkey
WITH held AS (
    SELECT max(worker_id) AS worker_id FROM jobqueue.jobs
    WHERE id = %(job_id)s::text::uuid AND lease = %(lease)s::bigint
)
SELECT EXISTS (SELECT FROM jobqueue.processed_ids WHERE job_id = %(job_id)s::text::uuid),
       pg_try_advisory_xact_lock(hashtextextended('jobqueue job ' || %(job_id)s::text, 0)),
       worker_id IS NOT NULL,
       pg_current_xact_id()::text,
       set_config('application_name', 'jobqueue job ' || worker_id, true)
FROM held
