"""Taking the values of secret arguments out of text that shows them: messages, tracebacks."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import cast

from jobqueue.core.secrets import HIDDEN

SHORTEST = 4
"""A shorter text is not hidden in messages: it would be found everywhere."""
LONGEST_SHOWN = 50
"""pydantic shows longer texts by their ends: 25 characters and 24."""


def secret_texts(args: str, names: Collection[str]) -> tuple[str, ...]:
    """Give what of a job's secret arguments may turn up in a message, the longest first.

    args: its arguments as stored. names: of the parameters that are secret.
    """
    if not names:
        return ()
    try:
        values: object = json.loads(args, parse_int=str, parse_float=str)
        given = cast("dict[str, object]", values) if isinstance(values, dict) else {}
        texts = [text for name in names for text in _leaves(given.get(name))]
    except (ValueError, RecursionError):
        return ()
    found = {written for text in texts for written in _ways_to_write(text)}
    return tuple(sorted((one for one in found if len(one) >= SHORTEST), key=len, reverse=True))


def hide(text: str, secrets: Sequence[str]) -> str:
    """Replace each of `secrets` in a text."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _leaves(inner)


def _ways_to_write(text: str) -> Iterator[str]:
    """Give a text as it is, on one line, line by line, and as Python and JSON write it."""
    yield text
    yield " ".join(text.split())
    yield from text.splitlines()
    for written in (
        repr(text)[1:-1],
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
    ):
        yield written
        if len(written) > LONGEST_SHOWN - 2:
            yield written[:24]
            yield written[-23:]
