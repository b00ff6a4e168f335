-- Takes away the alerts; what is wrong stays wrong.
UPDATE jobqueue.schema_version SET version = 7;
DROP TABLE jobqueue.alerts;
ALTER TABLE jobqueue.workers DROP COLUMN clock_ahead_seconds;
