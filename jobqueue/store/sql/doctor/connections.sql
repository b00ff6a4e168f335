-- How many connections are in use, of how many: of the server, of this database, of this role. No limit
-- is -1. Connections that are kept for superusers count as used.
SELECT 'server', '', used.server + kept.number,
       current_setting('max_connections')::integer
FROM (
    SELECT sum(numbackends)::integer AS server
    FROM pg_catalog.pg_stat_database
) AS used
CROSS JOIN (
    SELECT sum(setting::integer)::integer AS number
    FROM pg_catalog.pg_settings
    WHERE name IN ('superuser_reserved_connections', 'reserved_connections')
) AS kept
UNION ALL
SELECT 'database', datname::text, pg_stat_get_db_numbackends(oid), datconnlimit
FROM pg_catalog.pg_database
WHERE datname = current_database()
UNION ALL
SELECT 'role', rolname::text,
       (SELECT count(*)::integer FROM pg_catalog.pg_stat_activity WHERE usename = current_user),
       rolconnlimit
FROM pg_catalog.pg_roles
WHERE rolname = current_user
