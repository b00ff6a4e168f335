-- Note that a job's effects are being made, in the transaction that makes them. No row: they were
-- made before. Waits for another delivery of the same job that is in the middle of it.
-- index: processed_ids_pkey
INSERT INTO jobqueue.processed_ids (job_id) VALUES (%(job_id)s::text::uuid)
ON CONFLICT (job_id) DO NOTHING
RETURNING job_id::text
