"""The product's own source, read as syntax: which text is sent to a database, and how made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jobqueue
from jobqueue.store import migrations

PACKAGE = Path(jobqueue.__file__).parent
MIGRATIONS = migrations.directory()
PYTHON = sorted([*PACKAGE.rglob("*.py"), *(MIGRATIONS).rglob("*.py")])
SQL = sorted([*PACKAGE.rglob("*.sql"), *(MIGRATIONS / "sql").glob("*.sql")])

# What sends text to a database, in any of the libraries that are used.
SENDERS = frozenset(
    {"execute", "executemany", "exec_driver_sql", "scalar", "scalars", "stream", "copy", "fetch"}
    | {
        "fetchrow",
        "fetchval",
        "prepare",
        "text",
        "static_output",
        "show",
        "Statement",
        "sql",
        "SQL",
    }
)

# SQL, as it is written here: keywords in capitals.
STATEMENT = re.compile(
    r"\b(SELECT\s|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE\s|LISTEN\s|NOTIFY\s"
    r"|(CREATE|ALTER|DROP)\s+(TABLE|SCHEMA|INDEX|VIEW|FUNCTION|ROLE|DATABASE|SEQUENCE|TYPE|DOMAIN)\b"
    r"|GRANT\s|REVOKE\s|COPY\s+\S+\s+(FROM|TO)\b|LOCK\s+TABLE|SET\s+(LOCAL|SESSION)\b|BEGIN;|COMMIT\b)"
)


def label(path: Path) -> str:
    """Name a file of the product as a person does."""
    return path.relative_to(PACKAGE.parent).as_posix()


def tree(path: Path) -> ast.Module:
    """Parse a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _builds(node: ast.expr) -> bool:
    """Whether an expression makes text of parts."""
    for part in ast.walk(node):
        if isinstance(part, ast.JoinedStr):
            return True
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Mod):
            return True
        if (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and part.func.attr in {"format", "format_map", "join", "replace", "substitute"}
        ):
            return True
    return False


def _assigned(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    """Give whatever is assigned to `name` inside `scope`."""
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=targets, value=value):
                named = [one for target in targets for one in ast.walk(target)]
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                named = [target]
            case ast.AugAssign(target=target):
                # `text += more` is as good as a sum.
                named, value = [target], ast.BinOp(ast.Name(name), ast.Add(), node.value)
            case ast.NamedExpr(target=target, value=value):
                named = [target]
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                named = list(ast.walk(target))
            case _:
                continue
        if any(isinstance(one, ast.Name) and one.id == name for one in named):
            yield value


def built(scope: ast.AST, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
    """Whether `node`, or what it was assigned in `scope`, is text made of parts."""
    if _builds(node):
        return True
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} - seen
    return any(
        built(scope, value, seen | names) for name in names for value in _assigned(scope, name)
    )


def sends(path: Path) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Find the calls that send text to a database, with the function or module they are in."""
    yield from _sends(tree(path), tree(path))


def _sends(scope: ast.AST, node: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        scope = node
    if isinstance(node, ast.Call) and node.args and _called(node) in SENDERS:
        yield scope, node
    for child in ast.iter_child_nodes(node):
        yield from _sends(scope, child)


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Give every piece of text in a file that is not documentation, with its line."""
    module = tree(path)
    documentation = {
        id(body[0].value)
        for node in ast.walk(module)
        for body in [getattr(node, "body", None)]
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr)
    }
    for node in ast.walk(module):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
        ):
            yield node.lineno, node.value
