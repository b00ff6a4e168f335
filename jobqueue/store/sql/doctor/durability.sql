-- Settings that lose commits when the server or its machine fails: as they are for this session, and as
-- roles and this database set them for others.
SELECT 'session', name, setting, source, NULL, NULL
FROM pg_catalog.pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
UNION ALL
SELECT 'given', 'synchronous_commit', 'off', 'role or database', role.rolname::text, base.datname::text
FROM pg_catalog.pg_db_role_setting AS given
LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = given.setrole
LEFT JOIN pg_catalog.pg_database AS base ON base.oid = given.setdatabase
CROSS JOIN LATERAL unnest(given.setconfig) AS one (setting)
WHERE lower(one.setting) IN
      ('synchronous_commit=off', 'synchronous_commit=false', 'synchronous_commit=no',
       'synchronous_commit=0')
  AND (given.setdatabase = 0 OR base.datname = current_database())
ORDER BY 1, 2, 5, 6
