-- Transactions of this database that were prepared long ago and neither committed nor rolled back.
-- seconds: from which age on.
SELECT gid, owner::text, extract(epoch FROM clock_timestamp() - prepared)::double precision,
       age(transaction)
FROM pg_catalog.pg_prepared_xacts
WHERE database = current_database()
  AND prepared < clock_timestamp() - make_interval(secs => %(seconds)s::double precision)
ORDER BY prepared
LIMIT 20
