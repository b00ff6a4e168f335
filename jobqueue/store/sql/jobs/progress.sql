-- Note how far attempts are, by their own word, and tell whoever listens. Fenced as ack_completed: what
-- is no longer held under the lease is left alone. Gives the ids of the others.
-- ids, leases, fractions, messages: of equal length. A notification carries 8,000 bytes at most.
-- index: jobs_pkey.
WITH said AS (
    SELECT *
    FROM unnest(
        %(ids)s::uuid[], %(leases)s::bigint[], %(fractions)s::real[], %(messages)s::text[]
    ) AS one (id, lease, fraction, message)
),
locked AS (
    -- By id, which is how acks and rescues take them.
    SELECT job.id FROM jobqueue.jobs AS job
    JOIN said ON said.id = job.id AND said.lease = job.lease
    WHERE job.id = ANY (%(ids)s::uuid[])
    ORDER BY job.id
    FOR NO KEY UPDATE OF job
),
noted AS (
    UPDATE jobqueue.jobs AS job
    SET progress = said.fraction, progress_message = left(said.message, 1000)
    FROM said
    WHERE job.id = ANY (ARRAY(SELECT id FROM locked))
      AND job.id = said.id
      AND job.lease = said.lease
    RETURNING job.id, job.progress, job.progress_message
)
SELECT noted.id::text,
       pg_notify('jobqueue_progress', json_build_object(
           'id', noted.id, 'progress', noted.progress, 'message', noted.progress_message)::text)
FROM noted
