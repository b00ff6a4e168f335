-- Alerts, and how far the clocks of workers are off. Kind: expand.

UPDATE jobqueue.schema_version SET version = 8;

-- What the leader has found to be beyond its limit: for now, or for so long that it is an alert. Kept
-- here, so that the next leader goes on where the last one ended.
CREATE TABLE jobqueue.alerts (
    rule        text NOT NULL,
    severity    text NOT NULL CHECK (severity IN ('warning', 'critical')),
    subject     text NOT NULL,
    value       double precision NOT NULL,
    threshold   double precision NOT NULL,
    for_seconds double precision NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    cleared_at  timestamptz,
    told        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (rule, severity, subject)
);
COMMENT ON TABLE jobqueue.alerts IS
    'what is beyond its limit; an alert from started_at on, until it is cleared and the hooks were told';
COMMENT ON COLUMN jobqueue.alerts.seen_at IS 'when it was last found to be beyond its limit';
COMMENT ON COLUMN jobqueue.alerts.told IS
    'whether the hooks were called for its start, or, once it is cleared, for its end';

-- By the last heartbeat; NULL: a worker of an older release, which does not say.
ALTER TABLE jobqueue.workers ADD COLUMN clock_ahead_seconds double precision;

-- Who could work until now, by a right to a table, still can.
DO $keep$
DECLARE
    role text;
BEGIN
    FOR role IN
        SELECT DISTINCT CASE WHEN one.grantee = 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END
        FROM pg_catalog.pg_class AS class
        CROSS JOIN LATERAL pg_catalog.aclexplode(class.relacl) AS one
        WHERE class.oid = 'jobqueue.job_history'::regclass
          AND one.privilege_type = 'DELETE' AND one.grantee <> class.relowner
    LOOP
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON jobqueue.alerts TO %s', role);
    END LOOP;
END
$keep$;
