"""`jobqueue limits`: what may run at once, and what may start in a while."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from rich.markup import escape

from jobqueue.cli.options import AsJson, DatabaseUrl, parse_seconds
from jobqueue.cli.output import console, errors, moment, print_json, print_table, visible
from jobqueue.cli.session import session
from jobqueue.core.duration import read_seconds
from jobqueue.core.limits import Concurrency, RateLimit, check_limit_name, check_whole
from jobqueue.core.names import check_queue_name
from jobqueue.store import gates
from jobqueue.store.gates import LimitRecord
from jobqueue.store.statement import run

Name = Annotated[str, typer.Argument(help="The limit's name.", show_default=False)]


def list_limits(database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List limits, and how many jobs wait for each."""
    with session(database_url) as execute:
        found = run(execute, gates.list_limits())
    if as_json:
        print_json([one._asdict() for one in found])
        return
    print_table(
        ("limit", "rule", "waiting", "running", "held until"),
        (
            (
                one.name,
                rule(one),
                one.waiting,
                one.holding if one.kind == "concurrency" else None,
                moment(one.held_until),
            )
            for one in found
        ),
        empty="no limit: declare one with @jobs.task(rate_limit=..., concurrency=...)",
    )


def set_limit(
    name: Name,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="N/TIME", help="So many starts in a while: 50/1s.", show_default=False
        ),
    ] = None,
    burst: Annotated[
        int | None,
        typer.Option(help="Of a rate: so many in the same moment.", show_default=False),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(help="So many at once, of each key.", show_default=False)
    ] = None,
    fair: Annotated[
        bool | None,
        typer.Option("--fair/--no-fair", help="Keys take turns.", show_default=False),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=N", help="Of a key, in turns. Repeatable.", show_default=False),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Set a limit; workers heed it within a second. Code changes it again only when it is changed.

    [bold]jobqueue limits set sendgrid --rate 50/1s --burst 10[/]
    """
    chosen = _rule(name, rate, burst, concurrency, fair=fair, weight=weight)
    with session(database_url) as execute:
        if not run(execute, gates.set_limit(chosen)):
            errors.print(
                f"limit {visible(repr(name))}: is of the other kind; remove it first",
                markup=False,
            )
            raise typer.Exit(1)
    _say(name, "set")


def remove(name: Name, database_url: DatabaseUrl = None) -> None:
    """Remove a limit: what waits for it goes, and everybody passes."""
    with session(database_url) as execute:
        if not run(execute, gates.remove_limit(name)):
            _unknown(name)
    _say(name, "removed")


def hold(
    name: Name,
    time: Annotated[
        float,
        typer.Argument(
            parser=parse_seconds, metavar="TIME", help="How long: 30s, 5m.", show_default=False
        ),
    ],
    key: Annotated[
        str | None, typer.Option(help="Only this key of a rate.", show_default=False)
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let nothing start under a limit for a while. What runs goes on."""
    with session(database_url) as execute:
        [until] = run(execute, gates.hold(name, time, key))
    if until is None:
        _unknown(name)
    _say(name, f"held until {moment(until)}")


def release(name: Name, database_url: DatabaseUrl = None) -> None:
    """End the hold of a limit, and of all its keys."""
    with session(database_url) as execute:
        [there] = run(execute, gates.release(name))
    if not there:
        _unknown(name)
    _say(name, "released")


def limit_queue(
    queue: Annotated[str, typer.Argument(help="The queue's name.", show_default=False)],
    amount: Annotated[str, typer.Argument(metavar="N", help="So many at once; none for no limit.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Limit how many jobs of a queue run at once, by all workers together."""
    chosen = None
    if amount != "none":
        if not amount.isdigit():
            raise typer.BadParameter(f"{amount!r}: not a number; give one, or none")
        chosen = check_whole(int(amount), f"queue {queue!r}: limit")
    with session(database_url) as execute:
        run(execute, gates.set_queue_limit(check_queue_name(queue), chosen))
    console.print(f"queue {escape(visible(queue))}: {amount} at once")


def rule(limit: LimitRecord) -> str:
    """Say what a limit allows."""
    if limit.removed:
        return "removed: everybody passes"
    if limit.kind == "rate":
        burst = f", burst {limit.burst}" if limit.burst > 1 else ""
        return f"{limit.amount} in {limit.per_seconds:g} s{burst}"
    at_once = "any number" if limit.amount is None else f"{limit.amount} at once"
    words = [at_once]
    if limit.ordered:
        words.append("in order")
    if limit.fair:
        words.append("keys take turns")
    return ", ".join(words)


def _rule(
    name: str,
    rate: str | None,
    burst: int | None,
    concurrency: int | None,
    *,
    fair: bool | None,
    weight: list[str] | None,
) -> dict[str, Any]:
    """Read and check what is to be set. Raises ConfigurationError or BadParameter."""
    check_limit_name(name)
    if (rate is None) == (concurrency is None and not fair):
        raise typer.BadParameter("give --rate, or --concurrency and --fair")
    if rate is not None:
        if fair is not None or weight:
            raise typer.BadParameter("--fair and --weight are of concurrency limits")
        found = re.fullmatch(r"\s*(\d+)\s*/\s*(.+)", rate)
        if found is None:
            raise typer.BadParameter(f"--rate {rate!r}: write it like 50/1s, or 1000/1h")
        per = read_seconds(found[2] if found[2][0].isdigit() else f"1{found[2]}", subject="--rate")
        chosen = RateLimit(name, int(found[1]), per=per, burst=burst or 1).rule()
        if burst is None:
            del chosen["burst"]
        return chosen
    if burst is not None:
        raise typer.BadParameter("--burst is of rates")
    weights = dict(_weight(one) for one in weight or ())
    checked = Concurrency(concurrency, key="key", name=name, fair=bool(fair), weights=weights)
    given: dict[str, Any] = {
        "name": name,
        "kind": "concurrency",
        "amount": checked.amount,
        "weights": weights,
    }
    return given if fair is None else given | {"fair": fair}


def _weight(text: str) -> tuple[str, int]:
    key, _, number = text.rpartition("=")
    if not number.isdigit():
        raise typer.BadParameter(f"--weight {text!r}: write it like KEY=3")
    return key, int(number)


def _say(name: str, what: str) -> None:
    console.print(f"limit {escape(visible(name))}: {what}")


def _unknown(name: str) -> None:
    errors.print(
        f"limit {visible(repr(name))}: there is none; see `jobqueue limits list`", markup=False
    )
    raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    commands = typer.Typer(
        help="Look at limits and change them: list, set, remove, hold, release, queue.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    commands.command("list")(list_limits)
    commands.command("set")(set_limit)
    commands.command("remove")(remove)
    commands.command("hold")(hold)
    commands.command("release")(release)
    commands.command("queue")(limit_queue)
    app.add_typer(commands, name="limits")
