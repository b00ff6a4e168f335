-- Pause a queue, a task or a key of a limit. Gives whether it was not paused before.
SELECT jobqueue.pause_v1(
    queue => %(queue)s::text, task => %(task)s::text, reason => %(reason)s::text,
    limit_name => %(limit_name)s::text, key => %(key)s::text)
