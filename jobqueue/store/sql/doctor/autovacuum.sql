-- Where autovacuum, or the counting it goes by, is off: for the server, or for a table of ours.
SELECT 'server', name, source
FROM pg_catalog.pg_settings
WHERE name IN ('autovacuum', 'track_counts') AND setting = 'off'
UNION ALL
SELECT 'table', class.relname::text, option.option_name
FROM pg_catalog.pg_class AS class
CROSS JOIN LATERAL pg_catalog.pg_options_to_table(class.reloptions) AS option
WHERE class.relnamespace = to_regnamespace('jobqueue')
  AND option.option_name = 'autovacuum_enabled' AND NOT option.option_value::boolean
ORDER BY 1, 2
