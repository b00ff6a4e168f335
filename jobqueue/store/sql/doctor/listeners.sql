-- How many sessions of this database listen for wake-ups on behalf of workers.
SELECT count(*)
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND application_name = 'jobqueue worker listens'
