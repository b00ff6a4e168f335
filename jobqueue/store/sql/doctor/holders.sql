-- Who has the most connections, by the names that applications give.
SELECT coalesce(nullif(application_name, ''), 'no name'), count(*)
FROM pg_catalog.pg_stat_activity
WHERE datname IS NOT NULL
GROUP BY 1
ORDER BY 2 DESC
LIMIT 5
