"""`python -m jobqueue` is the command `jobqueue`."""

from jobqueue.cli.main import run

if __name__ == "__main__":
    run()
