-- Set a limit by hand: a rule as code gives it, what is left out stays. Code changes it again only when
-- it says something else than before. No row: one of the other kind has its name.
INSERT INTO jobqueue.limits AS known (
    name, kind, amount, per_seconds, burst, ordered, fair, ahead, weights)
SELECT rule ->> 'name', rule ->> 'kind', (rule ->> 'amount')::integer,
       (rule ->> 'per_seconds')::double precision, coalesce((rule ->> 'burst')::integer, 1),
       coalesce((rule ->> 'ordered')::boolean, false), coalesce((rule ->> 'fair')::boolean, false),
       coalesce((rule ->> 'ahead')::integer, 100), coalesce(rule -> 'weights', '{}')
FROM (SELECT %(rule)s::jsonb) AS one (rule)
ON CONFLICT (name) DO UPDATE
SET kind = excluded.kind,
    amount = excluded.amount,
    per_seconds = excluded.per_seconds,
    burst = CASE WHEN %(rule)s::jsonb ? 'burst' THEN excluded.burst
                 ELSE least(known.burst, coalesce(excluded.amount, 1)) END,
    ordered = CASE WHEN %(rule)s::jsonb ? 'ordered' THEN excluded.ordered ELSE known.ordered END,
    fair = CASE WHEN %(rule)s::jsonb ? 'fair' THEN excluded.fair ELSE known.fair END,
    ahead = CASE WHEN %(rule)s::jsonb ? 'ahead' THEN excluded.ahead ELSE known.ahead END,
    weights = known.weights || excluded.weights,
    removed = false, updated_at = now()
WHERE known.kind = excluded.kind OR known.removed
RETURNING known.name
