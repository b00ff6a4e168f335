-- Put dead letters back by id.
SELECT jobqueue.redrive_many_v1(%(ids)s::uuid[])::text
