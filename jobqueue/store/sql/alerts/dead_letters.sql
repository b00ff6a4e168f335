-- How many dead letters each queue has, among the newest 10,000.
-- index: dead_letters_finished_at
SELECT newest.queue, count(*)
FROM (
    SELECT letter.queue FROM jobqueue.dead_letters AS letter
    ORDER BY letter.finished_at DESC LIMIT 10000
) AS newest
GROUP BY newest.queue
