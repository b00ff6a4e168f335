"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobqueue.core.why import Reason
from jobqueue.store.jobs import JobDetails, JobRecord

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever json writes
    """Print `value` as one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> Any:  # noqa: ANN401 - what json does not know
    """Give records and rich values as what JSON has."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


# What a terminal obeys instead of showing it: control characters, and those that turn text around.
_OBEYED = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
_OBEYED_IN_LINES = {code: seen for code, seen in _OBEYED.items() if code not in {0x09, 0x0A}}


def visible(text: object, *, lines: bool = False) -> str:
    """Give text such that a terminal shows it, whoever wrote it. lines: it may have several."""
    return str(text).translate(_OBEYED_IN_LINES if lines else _OBEYED)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under their columns; numbers to the right. `empty` is said when there are none."""
    shown = [list(row) for row in rows]
    if not shown:
        console.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        numbers = all(isinstance(row[position], int | float) for row in shown)
        table.add_column(
            column, justify="right" if numbers else "left", overflow="fold", no_wrap=column == "id"
        )
    for row in shown:
        table.add_row(*("" if cell is None else escape(visible(cell)) for cell in row))
    if console.is_terminal:
        console.print(table)
    else:
        # In a pipe nothing is folded: `grep` and `awk` want whole lines.
        Console(highlight=False, width=400).print(table)


def moment(value: datetime | None) -> str | None:
    """Show a moment in local time, to the second."""
    return None if value is None else value.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def age(value: datetime | None) -> str | None:
    """Show how long ago a moment was."""
    return None if value is None else seconds((datetime.now(UTC) - value).total_seconds())


def seconds(value: float | None) -> str | None:
    """Show a duration in its largest fitting unit."""
    if value is None:
        return None
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if abs(value) >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.1f} s"


def print_jobs(jobs: Sequence[JobRecord], *, empty: str) -> None:
    """Print one line a job."""
    print_table(
        ("id", "task", "queue", "state", "attempt", "enqueued", "last error"),
        (
            (
                job.id,
                job.task,
                job.queue,
                job.state,
                f"{job.attempt}/{job.max_attempts}",
                moment(job.enqueued_at),
                last_error(job),
            )
            for job in jobs
        ),
        empty=empty,
    )


def last_error(job: JobRecord) -> str | None:
    """Give the newest error of a job in one short line."""
    if not job.errors:
        return None
    newest = job.errors[-1]
    text = f"{newest.get('error')}: {newest.get('message')}"
    return " ".join(text.split())[:100]


def progress(job: JobDetails) -> str | None:
    """Show how far a job is, in percent, and what it says to that."""
    if job.progress is None:
        return None
    return " ".join(f"{job.progress:.0%} {job.progress_message or ''}".split())


def _json(value: Any) -> str:  # noqa: ANN401 - whatever json writes
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _asked(when: datetime) -> str:
    return f"asked for at {moment(when)}"


def print_job(job: JobDetails, reasons: Sequence[Reason] = ()) -> None:
    """Print everything about one job. reasons: why it is not running."""
    lines: list[tuple[str, object]] = [
        ("id", job.id),
        ("task", job.task),
        ("queue", job.queue),
        ("state", job.state),
        ("priority", job.priority),
        ("attempt", f"{job.attempt} of {job.max_attempts}"),
        ("arguments", _json(job.args)),
        ("enqueued", moment(job.enqueued_at)),
        ("due", moment(job.run_at)),
        ("expires", moment(job.expires_at)),
        ("started", moment(job.started_at)),
        ("finished", moment(job.finished_at)),
        ("ran for", None if job.run_ms is None else f"{job.run_ms:.1f} ms"),
        ("worker", job.worker_id),
        ("timeout", None if job.timeout_seconds is None else f"{job.timeout_seconds:g} s"),
        ("progress", progress(job)),
        ("cancel", None if job.cancel_requested_at is None else _asked(job.cancel_requested_at)),
        ("returned", None if job.result is None else _json(job.result)),
        *(("" if number else "waits", one.text) for number, one in enumerate(reasons)),
    ]
    for name, value in lines:
        if value is not None:
            console.print(f"[bold]{name:<10}[/] {escape(visible(value))}", soft_wrap=True)
    for error in job.errors or ():
        console.print(
            f"\n[bold]attempt {_shown(error, 'attempt')}[/] "
            f"failed at {_shown(error, 'failed_at')}: "
            f"{_shown(error, 'error')}: {_shown(error, 'message')}",
            soft_wrap=True,
        )
        if trace := error.get("traceback"):
            console.print(escape(visible(trace, lines=True).rstrip()), soft_wrap=True)


def _shown(error: dict[str, Any], name: str) -> str:
    return escape(visible(error.get(name), lines=True))
