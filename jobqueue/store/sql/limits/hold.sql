-- Let nothing through a limit, or one key of a rate, for so long. NULL: there is no such limit.
SELECT jobqueue.hold_v1(%(name)s::text, %(seconds)s::double precision, %(key)s::text)
