-- Resume a queue or a task. Gives whether it was paused.
SELECT jobqueue.resume_v1(queue => %(queue)s::text, task => %(task)s::text)
