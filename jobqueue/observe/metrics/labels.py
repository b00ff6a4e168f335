"""Names as labels: such that any scraper takes them, and not more than one can keep."""

from __future__ import annotations

OTHER = "other"
LONGEST = 100


def safe(name: str) -> str:
    """Give a name without control characters and lone surrogates, its beginning if it is long."""
    text = "".join(one if one.isprintable() else "\ufffd" for one in name[:LONGEST])
    return text.encode("utf-8", "replace").decode() or OTHER


class Labels:
    """Names that are counted by themselves, the first `most` of them; all others are one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """Give the label under which `name` is counted."""
        label = self._known.get(name)
        if label is None:
            if len(self._known) >= self._most:
                return OTHER
            label = self._known[name] = safe(name)
        return label
