-- Strike a worker off that stops in good order, holding nothing any more.
DELETE FROM jobqueue.workers AS worker
WHERE worker.id = %(worker_id)s
RETURNING id
