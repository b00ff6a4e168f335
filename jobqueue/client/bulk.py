"""Many jobs at once: statements that carry thousands, and COPY for more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jobqueue.client.ids import increasing_ids
from jobqueue.core.errors import ArgumentError, ConfigurationError
from jobqueue.store import jobs as statements
from jobqueue.store.jobs import CopyCommon, Enqueued
from jobqueue.store.statement import Statement

if TYPE_CHECKING:
    from jobqueue.client.task import Task

# One statement carries at most so much: far below what PostgreSQL takes, enough that the round
# trip no longer counts.
CHUNK_JOBS = 10_000
CHUNK_CHARACTERS = 8_000_000
# One write of COPY: enough that the call no longer counts.
BLOCK_ROWS = 256

Items = Iterable[Mapping[str, object]]


def check_many(task: Task[..., Any]) -> None:
    """Return if the task's options serve for many jobs. Raises ConfigurationError."""
    if task.options.job_id is not None:
        raise ConfigurationError(
            f"job_id {task.options.job_id}: is of one job, not of many; use it with enqueue"
        )


def encoded(task: Task[..., Any], items: Items) -> Iterator[tuple[Mapping[str, object], str]]:
    """Give each item with its JSON. Raises ArgumentError with the `row` that does not fit."""
    check_many(task)
    encode = task.signature.encode
    for row, item in enumerate(items):
        try:
            yield item, encode(item)
        except ArgumentError as error:
            raise ArgumentError(error.task, error.parameter, error.rule, row=row) from error


def chunks(task: Task[..., Any], items: Items) -> Iterator[Statement[Enqueued]]:
    """Give the statements that enqueue `items`, in order."""
    chunk: list[str] = []
    values: list[Mapping[str, object]] = []
    size = 0
    keyed = task.options.keyed
    for item, arguments in encoded(task, items):
        chunk.append(arguments)
        values.append(task.signature.with_defaults(item) if keyed else item)
        size += len(arguments)
        if len(chunk) >= CHUNK_JOBS or size >= CHUNK_CHARACTERS:
            yield _chunk(task, chunk, values)
            chunk, values, size = [], [], 0
    if chunk:
        yield _chunk(task, chunk, values)


def _chunk(
    task: Task[..., Any], chunk: list[str], values: list[Mapping[str, object]]
) -> Statement[Enqueued]:
    return statements.enqueue_many(task.name, f"[{','.join(chunk)}]", task.options, values)


class CopyBlocks:
    """Rows of COPY text for `items`, in blocks, made while the server takes in those before.

    rows: how many were made so far.
    """

    def __init__(self, task: Task[..., Any], items: Items, common: CopyCommon) -> None:
        self._encoded = encoded(task, items)
        self._middle = common.columns(task.name)
        self.rows = 0

    def __iter__(self) -> Iterator[bytes]:
        """Give the blocks."""
        ids = increasing_ids()
        middle = self._middle
        block: list[str] = []
        for _, arguments in self._encoded:
            # In JSON text the backslash is the only character that COPY reads as more than itself.
            escaped = arguments.replace("\\", "\\\\") if "\\" in arguments else arguments
            block.append(f"{next(ids)}\t{middle}\t{escaped}\n")
            if len(block) == BLOCK_ROWS:
                self.rows += BLOCK_ROWS
                yield "".join(block).encode()
                block.clear()
        self.rows += len(block)
        yield "".join(block).encode()
