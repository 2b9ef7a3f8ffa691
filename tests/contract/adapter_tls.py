"""A server's certificate for loopback, signed by an authority of our own, both made where they are wanted."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_EXTENSIONS = {
    "ca": "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n",
    "server": "subjectAltName=IP:127.0.0.1,DNS:localhost\nauthorityKeyIdentifier=keyid\n",
}


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """Return the context of a server, and the file of the authority that clients are to trust."""
    for name, lines in _EXTENSIONS.items():
        (folder / f"{name}.ext").write_text(lines, encoding="utf-8")
        _run(folder, f"req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name}", name, "csr")
    _run(folder, "x509 -req -in ca.csr -signkey ca.key -days 2 -extfile ca.ext", "ca", "pem")
    _run(folder, "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile server.ext", "server", "pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context, str(folder / "ca.pem")


def _run(folder: Path, command: str, name: str, kind: str) -> None:
    more = ["-keyout", f"{name}.key"] if kind == "csr" else []
    subprocess.run(
        ["openssl", *command.split(), *more, "-out", f"{name}.{kind}"], cwd=folder, check=True, capture_output=True
    )
