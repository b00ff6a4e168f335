"""An environment of its own for each peer, made once: `.jobqueue/peers/<name>/`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.peer import Peer, PeerError
from benchmarks.worker_process import ROOT

FOLDER = ROOT / ".jobqueue" / "peers"
# Written when everything is installed, so that a half made environment is made again.
MADE_OF = "made_of.json"
INSTALL_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Environment:
    """How a peer's program is run. command: interpreter and program."""

    command: tuple[str, ...]
    variables: Mapping[str, str]


def prepare(peer: Peer) -> Environment:
    """Make the peer's environment, or find it made.

    Raises PeerError if it cannot be made.
    """
    folder = FOLDER / peer.folder.name
    variables = {"PYTHONPATH": str(ROOT), "PEER_ENVIRONMENT": str(folder), **peer.variables}
    if peer.is_ours:
        return Environment((sys.executable, str(peer.folder / "peer.py")), variables)
    made_of = json.dumps(
        {"language": peer.language, "python": peer.python, "packages": peer.packages}
    )
    marker = folder / MADE_OF
    if not marker.exists() or marker.read_text(encoding="utf-8") != made_of:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _install(peer, folder)
        marker.write_text(made_of, encoding="utf-8")
    if peer.language == "node":
        return Environment((str(_node(folder)), str(peer.folder / "peer.mjs")), variables)
    return Environment((str(_python(folder)), str(peer.folder / "peer.py")), variables)


def _install(peer: Peer, folder: Path) -> None:
    if peer.language == "node":
        npm = shutil.which("npm")
        if npm is None:
            raise PeerError("npm: not on PATH; install Node.js with npm")
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        quiet = ("--no-audit", "--no-fund", "--save-exact")
        _run(npm, "install", *quiet, *peer.packages, folder=folder)
    else:
        interpreter = sys.executable if peer.python is None else _find_python(peer.python)
        _run(interpreter, "-m", "venv", str(folder), folder=folder)
        quiet = ("--quiet", "--disable-pip-version-check")
        _run(str(_python(folder)), "-m", "pip", "install", *quiet, *peer.packages, folder=folder)


def _run(*command: str, folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"environment in {str(folder)!r}: not made: {error}") from error
    if done.returncode:
        raise PeerError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2_000:]}")


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _node(folder: Path) -> Path:
    """Give the Node.js that the peer's packages bring, or the one on PATH."""
    own = folder / "node_modules" / "node" / "bin" / "node"
    if own.exists():
        return own
    found = shutil.which("node")
    if found is None:
        raise PeerError("node: not on PATH and not among the packages; add node@22 to them")
    return Path(found)


def _find_python(wanted: str) -> str:
    """Find the Python of a version such as "3.12", or at a path."""
    for candidate in _pythons(wanted):
        if _runs(candidate):
            return candidate
    raise PeerError(
        f"python {wanted}: not found on PATH or among pyenv's versions; install it, "
        "or write the path of one into peer.toml"
    )


def _pythons(wanted: str) -> Iterator[str]:
    if os.sep in wanted:
        yield wanted
        return
    if on_path := shutil.which(f"python{wanted}"):
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for found in sorted(pyenv.glob(f"versions/{wanted}*/bin/python")):
        yield str(found)


def _runs(python: str) -> bool:
    """Whether it does: pyenv puts stand-ins on PATH for versions that are not switched on."""
    try:
        done = subprocess.run([python, "-c", ""], capture_output=True, timeout=30.0, check=False)
    except OSError:
        return False
    return done.returncode == 0
