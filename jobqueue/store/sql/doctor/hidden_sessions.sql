-- How many sessions of this database this role sees nothing of but that they are there.
SELECT count(*), current_user::text
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND query = '<insufficient privilege>'
