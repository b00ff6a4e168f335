-- Metrics: what the leader samples, what workers count, and views that show both. Kind: expand.
--
-- Depths are never counted when somebody asks: the leader looks every few seconds, at a bounded cost
-- whatever the tables hold, and notes what it saw and when.

UPDATE jobqueue.schema_version SET version = 7;

CREATE TABLE jobqueue.queue_samples (
    queue         text PRIMARY KEY,
    available     bigint NOT NULL,
    scheduled     bigint NOT NULL,
    running       bigint NOT NULL,
    gated         bigint NOT NULL,
    blocked       bigint NOT NULL,
    dead          bigint NOT NULL,
    estimated     boolean NOT NULL,
    oldest_due_at timestamptz,
    taken_at      timestamptz NOT NULL
)
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE jobqueue.queue_samples IS 'how deep each queue was when the leader last looked';
COMMENT ON COLUMN jobqueue.queue_samples.estimated IS
    'whether numbers are reckoned from a part of the table, which is then large';
COMMENT ON COLUMN jobqueue.queue_samples.oldest_due_at IS
    'when the available job was due that has waited longest; NULL: none waits';

CREATE TABLE jobqueue.fleet_sample (
    taken_at                   timestamptz NOT NULL,
    took_ms                    real NOT NULL,
    jobs_inserted              bigint NOT NULL,
    jobs_deleted               bigint NOT NULL,
    dead_tuples                bigint NOT NULL,
    oldest_transaction_seconds double precision,
    late_schedules             bigint NOT NULL,
    schedule_late_seconds      double precision NOT NULL,
    only_row                   boolean PRIMARY KEY DEFAULT true CHECK (only_row)
)
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE jobqueue.fleet_sample IS
    'one row: the tables, transactions and schedules when the leader last looked';
COMMENT ON COLUMN jobqueue.fleet_sample.jobs_inserted IS
    'rows ever inserted into jobs, those of transactions that were rolled back too, as PostgreSQL counts';

-- What workers counted, a row for each queue and minute; latencies as jobqueue.latency_quantile reads
-- them.
CREATE TABLE jobqueue.queue_counts (
    minute         timestamptz NOT NULL,
    queue          text NOT NULL,
    completed      bigint NOT NULL,
    failed         bigint NOT NULL,
    dead           bigint NOT NULL,
    first_attempts bigint NOT NULL,
    first_failures bigint NOT NULL,
    run_seconds    double precision NOT NULL,
    latencies      bigint[] NOT NULL,
    PRIMARY KEY (minute, queue)
)
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE jobqueue.queue_counts IS
    'attempts of the last day by how they ended, as workers counted them; a minute has them by when '
    'they were told';

CREATE INDEX dead_letters_queue ON jobqueue.dead_letters (queue);

-- The time below which `share` of the jobs were done, from counts by bucket; NULL if there were none.
-- Within a bucket jobs are taken to lie evenly; beyond the last bound it is that bound.
CREATE FUNCTION jobqueue.latency_quantile(counts bigint[], share double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
    WITH bucket AS (
        SELECT bound, coalesce(lag(bound) OVER by_bound, 0) AS lower, jobs,
               sum(jobs) OVER by_bound AS so_far, sum(jobs) OVER () AS whole
        FROM unnest(
            ARRAY[0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 1800]
                ::double precision[],
            latency_quantile.counts
        ) WITH ORDINALITY AS one (bound, jobs, number)
        WINDOW by_bound AS (ORDER BY number)
    )
    SELECT (lower + (bound - lower) * (latency_quantile.share * whole - (so_far - jobs)) / jobs)
               ::double precision
    FROM bucket
    WHERE jobs > 0 AND so_far >= latency_quantile.share * whole
    ORDER BY so_far
    LIMIT 1
$body$;

-- Each queue: how deep when last sampled, and how it fared in the last five minutes.
CREATE VIEW jobqueue.queue_metrics AS
    WITH recent AS (
        SELECT queue, sum(completed) AS completed, sum(failed) AS failed,
               sum(first_attempts) AS first_attempts, sum(first_failures) AS first_failures
        FROM jobqueue.queue_counts
        WHERE minute > clock_timestamp() - interval '5 minutes'
        GROUP BY queue
    ),
    latency AS (
        SELECT queue, array_agg(jobs ORDER BY number) AS counts
        FROM (
            SELECT queue, number, sum(jobs)::bigint AS jobs
            FROM jobqueue.queue_counts
            CROSS JOIN LATERAL unnest(latencies) WITH ORDINALITY AS one (jobs, number)
            WHERE minute > clock_timestamp() - interval '5 minutes'
            GROUP BY queue, number
        ) AS summed
        GROUP BY queue
    ),
    served AS (
        SELECT queue, count(*) AS workers
        FROM jobqueue.workers CROSS JOIN LATERAL unnest(queues) AS one (queue)
        WHERE expires_at >= clock_timestamp()
        GROUP BY queue
    )
    SELECT sample.queue, sample.available, sample.scheduled, sample.running, sample.gated,
           sample.blocked,
           sample.dead, sample.estimated,
           extract(epoch FROM clock_timestamp() - sample.oldest_due_at)::double precision
               AS oldest_seconds,
           coalesce(served.workers, 0) AS workers,
           coalesce(recent.completed, 0)::double precision / 300 AS completed_per_second,
           coalesce(recent.failed, 0)::double precision / 300 AS failed_per_second,
           (recent.first_failures / nullif(recent.first_attempts, 0))::double precision
               AS first_failure_share,
           jobqueue.latency_quantile(latency.counts, 0.5) AS latency_p50_seconds,
           jobqueue.latency_quantile(latency.counts, 0.95) AS latency_p95_seconds,
           jobqueue.latency_quantile(latency.counts, 0.99) AS latency_p99_seconds,
           sample.taken_at,
           extract(epoch FROM clock_timestamp() - sample.taken_at)::double precision AS age_seconds
    FROM jobqueue.queue_samples AS sample
    LEFT JOIN recent USING (queue)
    LEFT JOIN latency USING (queue)
    LEFT JOIN served USING (queue);
COMMENT ON VIEW jobqueue.queue_metrics IS
    'each queue in numbers: its depth age_seconds ago, and the rates and latency of five minutes';

-- The fleet in one row, also when nobody has sampled yet.
CREATE VIEW jobqueue.fleet_metrics AS
    SELECT (SELECT count(*) FROM jobqueue.workers WHERE expires_at >= clock_timestamp()) AS workers,
           (SELECT count(*) FROM jobqueue.workers
            WHERE expires_at >= clock_timestamp() AND draining) AS draining,
           (SELECT coalesce(sum(concurrency), 0)::bigint FROM jobqueue.workers
            WHERE expires_at >= clock_timestamp()) AS slots,
           (SELECT coalesce(sum(lost_slots), 0)::bigint FROM jobqueue.workers
            WHERE expires_at >= clock_timestamp()) AS lost_slots,
           sample.jobs_inserted, sample.jobs_deleted, sample.dead_tuples,
           sample.oldest_transaction_seconds, sample.late_schedules, sample.schedule_late_seconds,
           sample.took_ms, sample.taken_at,
           extract(epoch FROM clock_timestamp() - sample.taken_at)::double precision AS age_seconds
    FROM (SELECT) AS always
    LEFT JOIN jobqueue.fleet_sample AS sample ON true;
COMMENT ON VIEW jobqueue.fleet_metrics IS 'the fleet in one row; what is sampled is NULL until it was';
