"""What the exit codes mean, to people and to programs."""

from enum import IntEnum

EPILOG = (
    "Exit codes: 0 done · 1 failed · 2 wrong usage or setting · 3 database not reached · "
    "4 schema does not fit · 5 jobs were interrupted at shutdown · "
    "6 to be replaced: jobs that do not stop hold its slots · "
    "7 resources of the application could not be opened"
)


class Exit(IntEnum):
    """Exit codes, as EPILOG tells people."""

    FAILED = 1
    USAGE = 2
    DATABASE = 3
    SCHEMA = 4
    INTERRUPTED = 5
    REPLACE = 6
    RESOURCES = 7
