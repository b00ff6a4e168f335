-- Let the server find out within 25 s that a worker's machine is gone, and end its transaction.
-- Not by connection options: poolers refuse those.
SELECT set_config('tcp_keepalives_idle', '10', false),
       set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false)
