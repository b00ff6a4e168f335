"""Several worker processes from one command: started, watched, and started again when they end.

The supervisor imports nothing of the application. What it and a worker have to tell each other goes
over a pair of sockets (`tie`), so that each also notices when the other is gone.
"""
