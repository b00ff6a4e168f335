-- Cancel a job that waits, or ask one that runs: cancelled, asked, ended or unknown.
SELECT jobqueue.cancel_v2(%(id)s::text::uuid)
