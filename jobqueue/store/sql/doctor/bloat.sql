-- Tables and indexes of ours that are mostly empty: far larger than their rows, as the statistics know
-- them, can need. An estimate, on the careful side: all rows of a table are counted to each of its
-- indexes, and pages may be half full.
-- bytes: from how much emptiness on.
WITH relation AS (
    SELECT class.oid, class.relname::text AS name, class.relkind, class.relkind = 'i' AS is_index,
           coalesce(indexed.relname, class.relname) AS table_name,
           greatest(class.reltuples, stats.n_live_tup, 0) AS rows,
           pg_relation_size(class.oid) AS bytes
    FROM pg_catalog.pg_class AS class
    LEFT JOIN pg_catalog.pg_index AS index ON index.indexrelid = class.oid
    LEFT JOIN pg_catalog.pg_class AS indexed ON indexed.oid = index.indrelid
    LEFT JOIN pg_catalog.pg_stat_all_tables AS stats
        ON stats.relid = coalesce(index.indrelid, class.oid)
    WHERE class.relnamespace = 'jobqueue'::regnamespace AND class.relkind IN ('r', 'i')
      AND pg_relation_size(class.oid) > %(bytes)s::bigint
      AND coalesce(stats.last_analyze, stats.last_autoanalyze, stats.last_vacuum,
                   stats.last_autovacuum) IS NOT NULL
),
needed AS (
    SELECT relation.oid, relation.rows * (28 + coalesce(sum(width.avg_width), 200)) * 2 AS bytes
    FROM relation
    JOIN pg_catalog.pg_attribute AS attribute
        ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
    LEFT JOIN pg_catalog.pg_stats AS width
        ON width.schemaname = 'jobqueue' AND width.tablename = relation.table_name
        AND width.attname = attribute.attname
    GROUP BY relation.oid, relation.rows
)
SELECT relation.name, relation.is_index, relation.bytes, needed.bytes::bigint, relation.rows::bigint
FROM relation
JOIN needed USING (oid)
WHERE relation.bytes > 2 * needed.bytes AND relation.bytes - needed.bytes > %(bytes)s::bigint
ORDER BY relation.bytes DESC
