"""What a peer is: a folder of `programs/` with a program and a description of it, peer.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jobqueue

PROGRAMS = Path(__file__).parent / "programs"


class PeerError(Exception):
    """A peer that cannot be measured here, and why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A queue with the settings it is measured at.

    folder: where its program is. Variants of one queue share it, and the environment.
    packages: pinned, the queue itself first. None: it is this checkout, and needs no environment.
    python: the version, or the path, of the Python it needs, if not the one that runs this.
    unfinished: SQL that counts the jobs which have not ended.
    jobs, scheduled: the most that it is given, where it is slow.
    variables: environment variables that make a variant of its program.
    """

    name: str
    folder: Path
    title: str
    language: Literal["python", "node"]
    history: Literal["kept", "deleted"]
    note: str
    unfinished: str
    packages: tuple[str, ...]
    python: str | None
    jobs: int | None
    scheduled: int | None
    settings: Mapping[str, object]
    variables: Mapping[str, str]

    @property
    def is_ours(self) -> bool:
        """Whether it is this checkout."""
        return not self.packages

    @property
    def version(self) -> str:
        """The version of the queue itself, from its pin."""
        if self.is_ours:
            return jobqueue.__version__
        name, _, version = self.packages[0].replace("==", "@").rpartition("@")
        if not name:
            raise PeerError(f"package {self.packages[0]!r}: not pinned; write name==version")
        return version


def find_peers() -> list[Peer]:
    """Give every peer there is, ours first."""
    found = [
        peer
        for description in sorted(PROGRAMS.glob("*/peer.toml"))
        for peer in _read(description.parent)
    ]
    return sorted(found, key=lambda peer: not peer.is_ours)


def _read(folder: Path) -> Iterator[Peer]:
    described = tomllib.loads((folder / "peer.toml").read_text(encoding="utf-8"))
    variants: dict[str, dict[str, Any]] = described.pop("variants", {folder.name: {}})
    for name, differs in variants.items():
        yield _peer(name, folder, described | differs)


def _peer(name: str, folder: Path, described: Mapping[str, Any]) -> Peer:
    try:
        return Peer(
            name=name,
            folder=folder,
            title=described["title"],
            language=described["language"],
            history=described["history"],
            note=described["note"],
            unfinished=described["unfinished"],
            packages=tuple(described.get("packages", ())),
            python=described.get("python"),
            jobs=described.get("jobs"),
            scheduled=described.get("scheduled"),
            settings=described.get("settings", {}),
            variables=described.get("variables", {}),
        )
    except KeyError as error:
        raise PeerError(f"{folder / 'peer.toml'}: {error} is missing; add it") from error
