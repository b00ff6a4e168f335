-- Become the leader for as long as this session lives, unless another is.
SELECT pg_try_advisory_lock(%(key)s::bigint)
