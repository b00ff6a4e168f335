-- Enter limits that code declares: rules, a JSON array. One is changed only when code says something
-- else than before, so that what was set by hand stays. Gives what became of each.
WITH wanted AS (
    SELECT one.rule ->> 'name' AS name, one.rule
    FROM jsonb_array_elements(%(rules)s::jsonb) AS one (rule)
),
placed AS (
    INSERT INTO jobqueue.limits AS known (
        name, kind, amount, per_seconds, burst, ordered, fair, ahead, weights, declared)
    SELECT wanted.name, wanted.rule ->> 'kind', (wanted.rule ->> 'amount')::integer,
           (wanted.rule ->> 'per_seconds')::double precision,
           coalesce((wanted.rule ->> 'burst')::integer, 1),
           coalesce((wanted.rule ->> 'ordered')::boolean, false),
           coalesce((wanted.rule ->> 'fair')::boolean, false),
           coalesce((wanted.rule ->> 'ahead')::integer, 100),
           coalesce(wanted.rule -> 'weights', '{}'), wanted.rule
    FROM wanted
    ORDER BY wanted.name
    ON CONFLICT (name) DO UPDATE
    SET amount = excluded.amount, per_seconds = excluded.per_seconds, burst = excluded.burst,
        ordered = excluded.ordered, fair = excluded.fair, ahead = excluded.ahead,
        weights = excluded.weights, declared = excluded.declared, removed = false,
        kind = excluded.kind, updated_at = now()
    WHERE known.declared IS DISTINCT FROM excluded.declared
      AND (known.kind = excluded.kind OR known.removed)
    RETURNING known.name
)
SELECT wanted.name,
       CASE WHEN placed.name IS NOT NULL THEN 'placed'
            WHEN known.kind <> wanted.rule ->> 'kind' THEN 'other'
            ELSE 'kept' END
FROM wanted
LEFT JOIN placed ON placed.name = wanted.name
LEFT JOIN jobqueue.limits AS known ON known.name = wanted.name
