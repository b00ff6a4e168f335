-- Say in which queues a worker sleeps for want of jobs, so that enqueue wakes it; {} when it woke.
UPDATE jobqueue.workers SET sleeping = %(queues)s WHERE id = %(worker_id)s
