-- Pause a queue or a task. Gives whether it was not paused before.
SELECT jobqueue.pause_v1(
    queue => %(queue)s::text, task => %(task)s::text, reason => %(reason)s::text)
