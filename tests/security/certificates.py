"""Certificates of our own making, by the openssl command, for the time of a test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def openssl(folder: Path, *arguments: str) -> None:
    """Run openssl in `folder`; a machine without it cannot run these tests, and says so."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the command openssl is not installed: no certificates, no TLS")
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self._key(name)
        # -x509 without -CA signs itself.
        openssl(folder, *self._request(name, name), "-x509", "-days", "2", "-out", f"{name}.crt")

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}.crt"

    def sign(self, name: str, subject: str, *, address: str | None = None) -> tuple[Path, Path]:
        """Make a certificate and its key. address: of a server, else it is a client's."""
        self._key(name)
        openssl(self.folder, *self._request(name, subject), "-out", f"{name}.csr")
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(
            f"subjectAltName=IP:{address}\n" if address else "extendedKeyUsage=clientAuth\n"
        )
        openssl(
            self.folder,
            *("x509", "-req", "-in", f"{name}.csr", "-days", "2", "-extfile", extensions.name),
            *("-CA", f"{self.name}.crt", "-CAkey", f"{self.name}.key", "-CAcreateserial"),
            *("-out", f"{name}.crt"),
        )
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def _key(self, name: str) -> None:
        curve = ("-pkeyopt", "ec_paramgen_curve:prime256v1")
        openssl(self.folder, "genpkey", "-algorithm", "EC", *curve, "-out", f"{name}.key")
        # libpq refuses a key that others may read.
        (self.folder / f"{name}.key").chmod(0o600)

    def _request(self, name: str, subject: str) -> list[str]:
        return ["req", "-new", "-key", f"{name}.key", "-subj", f"/CN={subject}"]
