-- Hear that a running job is to be cancelled; the payload is the id of the worker that runs it.
LISTEN jobqueue_cancel
