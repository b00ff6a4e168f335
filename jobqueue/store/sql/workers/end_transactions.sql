-- End the transactions in which lost workers make the effects of jobs: those whose lease expired and
-- those struck off. Nothing in them can be committed any more (processed/complete), but a frozen
-- worker keeps them open, and others wait for the locks they hold. Sessions bear the number of their
-- worker (processed/begin), which is never used again, so those of live workers are safe.
-- Only this role's own sessions, which it may end without a privilege. Gives one row a session.
SELECT pg_terminate_backend(session.pid)
FROM pg_stat_activity AS session
WHERE session.backend_type = 'client backend'
  AND session.datname = current_database()
  AND session.usename = current_user
  AND session.application_name ~ '^jobqueue job [0-9]{1,18}$'
  AND NOT EXISTS (
      SELECT FROM jobqueue.workers AS worker
      WHERE worker.id =
            substring(session.application_name FROM '^jobqueue job ([0-9]{1,18})$')::bigint
        AND worker.expires_at >= clock_timestamp()
  )
