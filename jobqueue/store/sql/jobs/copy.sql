-- Take jobs in bulk, as text. The columns are those of COPY_COLUMNS, in their order.
COPY jobqueue.jobs (id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
FROM STDIN WITH (ENCODING 'UTF8')
