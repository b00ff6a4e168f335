-- Wait until no claim of this worker is under way: each holds the worker's row until it is committed.
SELECT id FROM jobqueue.workers WHERE id = %(worker_id)s FOR UPDATE
