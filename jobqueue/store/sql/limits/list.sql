-- Every limit, and how it stands: how many jobs wait at its gates, and how many it counts as running.
-- Counts by the partial indexes of gated and holding jobs, so other jobs are not read.
SELECT rule.name, rule.kind, rule.amount, rule.per_seconds, rule.burst, rule.ordered, rule.fair,
       rule.weights, CASE WHEN rule.held_until > now() THEN rule.held_until END, rule.removed,
       CASE rule.kind
           WHEN 'rate' THEN (
               SELECT count(*) FROM jobqueue.jobs AS job
               WHERE job.rate = rule.name AND job.state = 'gated'
                 AND (job.holds OR job.concurrency IS NULL))
           ELSE (
               SELECT count(*) FROM jobqueue.jobs AS job
               WHERE job.concurrency = rule.name AND job.state = 'gated' AND job.holds IS NULL)
       END,
       (SELECT count(*) FROM jobqueue.jobs AS job
        WHERE job.concurrency = rule.name AND job.holds AND rule.kind = 'concurrency')
FROM jobqueue.limits AS rule
ORDER BY rule.name
