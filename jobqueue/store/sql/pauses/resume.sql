-- Resume a queue, a task or a key of a limit. Gives whether it was paused.
SELECT jobqueue.resume_v1(
    queue => %(queue)s::text, task => %(task)s::text,
    limit_name => %(limit_name)s::text, key => %(key)s::text)
