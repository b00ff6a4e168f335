"""Many jobs at once: statements that carry thousands, and COPY for more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from jobqueue.client.ids import increasing_ids
from jobqueue.core.errors import ArgumentError, ConfigurationError
from jobqueue.core.options import NO_KEYS, Keys
from jobqueue.store import gates
from jobqueue.store import jobs as statements
from jobqueue.store.jobs import CopyCommon, Enqueued
from jobqueue.store.statement import Statement

if TYPE_CHECKING:
    from jobqueue.client.task import Task

# One statement carries at most so much: far below what PostgreSQL takes, enough that the round
# trip no longer counts.
CHUNK_JOBS = 10_000
CHUNK_CHARACTERS = 8_000_000
# One COPY: enough that the round trip no longer counts.
COPY_ROWS = 5_000
# One write of COPY: enough that the call no longer counts.
BLOCK_ROWS = 256

Items = Iterable[Mapping[str, object]]


def check_many(task: Task[..., Any], items: Items) -> None:
    """Return if the task's options, and what gives the items, serve for many jobs.

    Raises ConfigurationError.
    """
    if not isinstance(items, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
        raise ConfigurationError(
            f"items {type(items).__name__}: not an iterable of mappings; give a list or a "
            "generator (an asynchronous one cannot be read here: collect its items first)"
        )
    if task.options.job_id is not None:
        raise ConfigurationError(
            f"job_id {task.options.job_id}: is of one job, not of many; use it with enqueue"
        )


def inserted(enqueued: Iterable[Enqueued]) -> int:
    """Count those that met no other job."""
    return sum(one.outcome == "inserted" for one in enqueued)


def encoded(task: Task[..., Any], items: Items, first_row: int = 0) -> Iterator[tuple[str, Keys]]:
    """Give each item as JSON, and its keys. first_row: the number of the first of `items`.

    Raises ArgumentError with the `row` that does not fit. What a key's function raises has the row
    in a note.
    """
    signature, options, keyed = task.signature, task.options, task.options.keyed
    for row, item in enumerate(items, first_row):
        try:
            encoded = signature.encode(item)
            keys = options.keys(signature.checked(item)) if keyed else NO_KEYS
        except ArgumentError as error:
            raise ArgumentError(error.task, error.parameter, error.rule, row=row) from error
        except Exception as error:
            error.add_note(f"item {row} of task {task.name!r}")
            raise
        yield encoded, keys


def chunks(task: Task[..., Any], items: Items) -> Iterator[Statement[Enqueued]]:
    """Give the statements that enqueue `items`, in order."""
    check_many(task, items)
    chunk: list[str] = []
    keys: list[Keys] = []
    size = 0
    keyed = task.options.keyed
    for arguments, its_keys in encoded(task, items):
        chunk.append(arguments)
        if keyed:
            keys.append(its_keys)
        size += len(arguments)
        if len(chunk) >= CHUNK_JOBS or size >= CHUNK_CHARACTERS:
            yield _chunk(task, chunk, keys)
            chunk, keys, size = [], [], 0
    if chunk:
        yield _chunk(task, chunk, keys)


def _chunk(task: Task[..., Any], chunk: list[str], keys: list[Keys]) -> Statement[Enqueued]:
    if task.options.flow is not None:
        its_keys = [task.flow_keys(one) for one in chunk]
        return gates.enqueue(task.name, f"[{','.join(chunk)}]", task.options, keys, its_keys)
    return statements.enqueue_many(task.name, f"[{','.join(chunk)}]", task.options, keys)


class CopyLoads:
    """What a series of COPYs sends: for each of them an iterable of blocks of text.

    Items are drawn between two COPYs and encoded during them: where they come from may be a
    generator that uses the same connection.

    rows: how many were made so far.
    """

    def __init__(self, task: Task[..., Any], items: Items, common: CopyCommon) -> None:
        self._task = task
        self._items = iter(items)
        self._middle = common.columns(task.name)
        self._ids = increasing_ids()
        self.rows = 0

    def __iter__(self) -> Iterator[Iterator[bytes]]:
        """Give the blocks of one COPY after the other."""
        while drawn := [*islice(self._items, COPY_ROWS)]:
            yield self._blocks(drawn)

    def _blocks(self, drawn: list[Mapping[str, object]]) -> Iterator[bytes]:
        middle, ids = self._middle, self._ids
        block: list[str] = []
        for arguments, _ in encoded(self._task, drawn, self.rows):
            # In JSON text the backslash is the only character that COPY reads as more than itself.
            escaped = arguments.replace("\\", "\\\\") if "\\" in arguments else arguments
            block.append(f"{next(ids)}\t{middle}\t{escaped}\n")
            if len(block) == BLOCK_ROWS:
                yield "".join(block).encode()
                block.clear()
        yield "".join(block).encode()
        self.rows += len(drawn)
