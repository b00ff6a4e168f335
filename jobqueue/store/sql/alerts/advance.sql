-- Note what is beyond its limit now: new, or still; an alert once that has lasted for long enough. What
-- has been within its limit for a while again is cleared, but not before its start was told.
-- found: JSON array of {rule, severity, subject, value, threshold, for_seconds}.
WITH found AS (
    SELECT one.*
    FROM jsonb_to_recordset(%(found)s::jsonb) AS one (
        rule text, severity text, subject text, value double precision,
        threshold double precision, for_seconds double precision)
),
noted AS (
    INSERT INTO jobqueue.alerts AS known (
        rule, severity, subject, value, threshold, for_seconds, started_at)
    SELECT rule, severity, subject, value, threshold, for_seconds,
           CASE WHEN for_seconds <= 0 THEN now() END
    FROM found
    ORDER BY rule, severity, subject
    ON CONFLICT (rule, severity, subject) DO UPDATE
    SET value = excluded.value, threshold = excluded.threshold,
        for_seconds = excluded.for_seconds, seen_at = excluded.seen_at,
        started_at = CASE
            WHEN known.started_at IS NULL
                AND known.since <= now() - make_interval(secs => excluded.for_seconds)
            THEN now() ELSE known.started_at END
    WHERE known.cleared_at IS NULL
),
gone AS (
    SELECT known.rule, known.severity, known.subject
    FROM jobqueue.alerts AS known
    WHERE NOT EXISTS (
        SELECT FROM found
        WHERE (found.rule, found.severity, found.subject)
            = (known.rule, known.severity, known.subject)
    )
),
forgotten AS (
    DELETE FROM jobqueue.alerts AS known USING gone
    WHERE (known.rule, known.severity, known.subject) = (gone.rule, gone.severity, gone.subject)
      AND known.started_at IS NULL
)
UPDATE jobqueue.alerts AS known
SET cleared_at = now(), told = false
FROM gone
WHERE (known.rule, known.severity, known.subject) = (gone.rule, gone.severity, gone.subject)
  AND known.told AND known.cleared_at IS NULL
  AND known.seen_at < now() - make_interval(secs => %(clear_seconds)s::double precision)
