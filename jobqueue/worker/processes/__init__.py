"""The pool for tasks that run in child processes.

    pool = Processes("myapp:jobs", size=2, database_url=url)
    outcome = await pool.call(job)
    await pool.close(grace_seconds=30)

A child is a Python started afresh (`python -m jobqueue.worker.processes.child`), which imports the
application once and runs one job after another. Between it and the worker go lines of JSON, never
pickle. Each way has one purpose, and one reader:

    jobs      worker → child   the arguments of jobs, in the order sent
              child → worker   how each ended
    tokens    worker → child   the number of a job, which is the permission to begin it. The worker
                               holds the reading end as well and can take back what is not begun,
                               whatever the child is doing, and after its death too
    control   worker → child   "interrupt", "cancelled"; its end says that the worker is gone
    output    child → worker   stdout, stderr, log records and progress; the only way that user code
                               can write to, and the only one where a torn line does no harm

On the worker's side: `pool` decides which child runs what, `calls` are the jobs in it,
`child_process` is one child as the worker sees it, `output_reader` takes its output to the log.
On the child's side: `child` is the program, `channel` its end of the ways, `attempts` runs a job,
`ending` judges how it ended, `interrupts` stops one, `output` tags what it prints, `memory`
measures. `messages` is what both know. docs/adr/0012 says why.
"""

from jobqueue.worker.processes.calls import ProcessDied
from jobqueue.worker.processes.messages import Limits, Outcome
from jobqueue.worker.processes.pool import Processes

__all__ = ["Limits", "Outcome", "ProcessDied", "Processes"]
