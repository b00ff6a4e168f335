-- Forget keys of rates that are as good as new, at most `limit`.
SELECT jobqueue.prune_rates(%(slack)s::double precision, %(limit)s::integer)
