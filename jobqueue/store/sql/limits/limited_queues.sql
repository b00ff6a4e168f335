-- Which of these queues have a limit on how many jobs run at once, over all workers.
SELECT name FROM jobqueue.queues WHERE name = ANY (%(queues)s::text[]) AND concurrency IS NOT NULL
