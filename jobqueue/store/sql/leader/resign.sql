-- Give up the leader's lock, and tell those who may take it.
SELECT pg_advisory_unlock(%(key)s::bigint), pg_notify('jobqueue', %(word)s)
