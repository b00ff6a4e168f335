-- Let through whatever may go: how many jobs, of which queues, and the seconds until it is worth a look
-- again (NULL: until somebody calls).
-- The function reads jobs_at_concurrency, jobs_at_rate and jobs_holding, of the keys that were called.
SELECT admitted, queues, pause
FROM jobqueue.admit(%(slack)s::double precision, %(ahead)s::double precision, %(most)s::integer)
