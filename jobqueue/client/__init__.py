"""What an application calls: JobQueue, tasks, enqueue, current_job."""
