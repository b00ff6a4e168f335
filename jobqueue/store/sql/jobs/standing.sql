-- How one job stands, for whoever waits for it: its task and state; what it returned, as text, NULL if
-- nothing was kept; its last error; how many seconds ago it ended; and whether this transaction sees
-- what others commit meanwhile. As text, whatever the application has taught its connection.
SELECT task, state, result::text, errors -> -1 ->> 'error', errors -> -1 ->> 'message',
       extract(epoch FROM clock_timestamp() - finished_at)::double precision,
       current_setting('transaction_isolation') = 'read committed'
FROM jobqueue.all_jobs
WHERE id = %(id)s::text::uuid
LIMIT 1
