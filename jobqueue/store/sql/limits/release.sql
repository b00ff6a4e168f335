-- End the holds of a limit and of all its keys. Gives whether there is one.
SELECT jobqueue.release_v1(%(name)s::text)
