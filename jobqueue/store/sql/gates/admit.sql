-- Let through whatever may go: how many jobs, of which queues, and the seconds until it is worth a look
-- again (NULL: until somebody calls).
-- index: gate_calls_pkey, rates_look_at, jobs_at_concurrency, jobs_at_rate, jobs_holding
SELECT admitted, queues, pause
FROM jobqueue.admit(%(slack)s::double precision, %(ahead)s::double precision, %(most)s::integer)
