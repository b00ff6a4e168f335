-- Note that the hooks were told of the start, or of the end, of an alert; one that is over is forgotten.
WITH over AS (
    DELETE FROM jobqueue.alerts
    WHERE (rule, severity, subject) = (%(rule)s, %(severity)s, %(subject)s)
      AND cleared_at = %(cleared_at)s::timestamptz
)
UPDATE jobqueue.alerts
SET told = true
WHERE (rule, severity, subject) = (%(rule)s, %(severity)s, %(subject)s)
  AND started_at = %(started_at)s AND cleared_at IS NULL AND %(cleared_at)s::timestamptz IS NULL
