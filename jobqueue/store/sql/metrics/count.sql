-- Add what a worker counted since it last did, to the minute that it is: columns of arrays, one
-- element for each queue; latencies as JSON, an array of counts for each.
INSERT INTO jobqueue.queue_counts AS known (
    minute, queue, completed, failed, dead, first_attempts, first_failures, run_seconds, latencies)
SELECT date_trunc('minute', clock_timestamp()), queue, completed, failed, dead, first_attempts,
       first_failures, run_seconds,
       ARRAY(SELECT jsonb_array_elements_text(%(latencies)s::jsonb -> (number - 1)::integer)::bigint)
FROM unnest(
    %(queues)s::text[], %(completed)s::bigint[], %(failed)s::bigint[], %(dead)s::bigint[],
    %(first_attempts)s::bigint[], %(first_failures)s::bigint[], %(run_seconds)s::double precision[]
) WITH ORDINALITY AS told (
    queue, completed, failed, dead, first_attempts, first_failures, run_seconds, number)
-- In one order, as every worker takes them.
ORDER BY queue
ON CONFLICT (minute, queue) DO UPDATE
SET completed = known.completed + excluded.completed,
    failed = known.failed + excluded.failed,
    dead = known.dead + excluded.dead,
    first_attempts = known.first_attempts + excluded.first_attempts,
    first_failures = known.first_failures + excluded.first_failures,
    run_seconds = known.run_seconds + excluded.run_seconds,
    latencies = ARRAY(
        SELECT coalesce(one.before, 0) + coalesce(one.more, 0)
        FROM unnest(known.latencies, excluded.latencies)
            WITH ORDINALITY AS one (before, more, number)
        ORDER BY one.number)
RETURNING known.queue
