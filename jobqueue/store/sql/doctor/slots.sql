-- Replication slots that hold back vacuum, or keep the log on the disk; and standbys that do the first
-- by their feedback, without a slot.
-- transactions, bytes: from how many on.
SELECT 'slot', slot.slot_name::text, slot.active,
       greatest(age(slot.xmin), CASE WHEN NOT slot.active THEN age(slot.catalog_xmin) END),
       kept.bytes::bigint, slot.wal_status
FROM pg_catalog.pg_replication_slots AS slot
CROSS JOIN LATERAL (
    SELECT pg_wal_lsn_diff(
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
        slot.restart_lsn) AS bytes
) AS kept
WHERE age(slot.xmin) > %(transactions)s::integer
   OR (NOT slot.active AND age(slot.catalog_xmin) > %(transactions)s::integer)
   OR kept.bytes > %(bytes)s::bigint
   OR slot.wal_status = 'lost'
UNION ALL
SELECT 'standby', coalesce(nullif(application_name, ''), pid::text), true, age(backend_xmin), 0, NULL
FROM pg_catalog.pg_stat_replication
WHERE age(backend_xmin) > %(transactions)s::integer
ORDER BY 1, 2
