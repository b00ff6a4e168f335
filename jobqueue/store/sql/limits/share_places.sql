-- Give a worker its places of a limited queue: those it uses already, and what others leave. NULL: the
-- queue has no limit any more.
-- The function looks by jobs_claim whether anything waits.
SELECT jobqueue.share_places(
    %(worker_id)s::bigint, %(queue)s::text, %(running)s::integer, %(most)s::integer)
