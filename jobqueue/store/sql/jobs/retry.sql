-- Run a waiting job now or put a dead one back: available, redriven, running, ended or unknown.
SELECT jobqueue.retry_v1(%(id)s::uuid)
