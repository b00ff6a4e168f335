-- Enter rates that code names and nobody has set yet: everybody passes until somebody does.
INSERT INTO jobqueue.limits (name, kind, amount, per_seconds, removed)
SELECT one.name, 'rate', 1, 1, true
FROM unnest(%(names)s::text[]) AS one (name)
ORDER BY one.name
ON CONFLICT (name) DO NOTHING
RETURNING name
