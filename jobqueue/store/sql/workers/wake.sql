-- Wake workers that sleep for want of jobs in these queues.
SELECT jobqueue.wake(queue) FROM unnest(%(queues)s::text[]) AS one (queue)
