-- Enqueue the jobs of past ticks that had none, as catch-ups. Gives how many there were.
SELECT jobqueue.enqueue_ticks(
    array_agg(%(schedule_id)s::bigint), array_agg(one.at), array_agg(true),
    array_agg(0.0::double precision))
FROM unnest(%(ticks)s::timestamptz[]) AS one (at)
HAVING count(*) > 0
