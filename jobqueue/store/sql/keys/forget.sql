-- Forget keys whose time is over, and ids processed more than `days` ago, at most `limit` of each.
SELECT jobqueue.prune_keys(now() - make_interval(days => %(days)s), %(limit)s)
