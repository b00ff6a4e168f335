-- Name the processes of the other workers in the books that say they live where this one does.
SELECT id, pid FROM jobqueue.workers WHERE home = %(home)s AND home <> '' AND id <> %(worker_id)s
