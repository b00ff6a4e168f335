"""What the lifespans of an application have opened in this process, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobqueue.core.errors import UnknownResource


class Resources(Mapping[str, Any]):
    """Reads like a dictionary. opened: filled by the worker that opens and closes them."""

    def __init__(self, opened: Mapping[str, Any]) -> None:
        self._opened = opened

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - the application's own
        """Give a resource. Raises UnknownResource, which is a KeyError."""
        try:
            return self._opened[name]
        except KeyError:
            there = ", ".join(sorted(map(repr, self._opened))) or "none"
            raise UnknownResource(
                f"resource {name!r}: no lifespan yields it; there are: {there}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._opened)

    def __len__(self) -> int:
        return len(self._opened)

    def __repr__(self) -> str:
        return f"<Resources {sorted(self._opened)}>"


NO_RESOURCES = Resources({})
