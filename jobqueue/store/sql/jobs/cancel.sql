-- Cancel a waiting job: cancelled, running, ended or unknown.
SELECT jobqueue.cancel_v1(%(id)s::uuid)
