"""The log of a worker: one line for each attempt, and every line with the job it belongs to.

A record of `logging` becomes an event, a dict of fields (`events`); what is secret in it is taken
out (`redaction`); it becomes a line of JSON or of text (`lines`), and waits for a thread to write
it (`sink`), so that a log which cannot be written holds up no job.
"""

from jobqueue.observe.logs.events import add_job_fields

__all__ = ["add_job_fields"]
