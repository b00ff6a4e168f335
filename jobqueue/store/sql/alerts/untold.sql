-- Alerts whose start, or end, the hooks have not been told.
SELECT rule, severity, subject, value, threshold, since, started_at, cleared_at
FROM jobqueue.alerts
WHERE started_at IS NOT NULL AND NOT told
ORDER BY coalesce(cleared_at, started_at), rule, severity, subject
