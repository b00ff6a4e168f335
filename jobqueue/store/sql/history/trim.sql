-- Delete the history of queues from some pages of a partition. Gives how many jobs went.
SELECT jobqueue.trim_history(
    %(partition)s, %(queues)s::text[], %(all_but)s::boolean, %(first_page)s::bigint, %(pages)s::bigint)
