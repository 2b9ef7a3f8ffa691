"""The one way in which the address of a server is written, however a user wrote it.

    protocol    what is kept                                     so these are the same
    openai      with /v1, or whatever path the server has        http://host:8000   http://host:8000/v1/
    anthropic   without /v1, which its SDK adds                  http://host:8000   http://host:8000/v1/
    gateway     without /v1, since its health is beside that     http://host:4000   http://host:4000/v1/

That is what the SDK of the protocol takes as its `base_url`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from tapemeter.client.config import Wire

LONGEST = 2000
"""Characters of an address."""

_OPERATIONS = ("/chat/completions", "/completions", "/responses", "/embeddings", "/messages", "/models")
_MOST_PORTS = 65_535


def address_of(text: str, wire: Wire | None) -> str:
    """Return an address as it is kept; `wire` is None for a gateway.

    ValueError, which quotes nothing of the address beyond its scheme, where it is none.
    """
    if len(text) > LONGEST:
        raise ValueError(f"the address has more than {LONGEST:,} characters")
    if not text.isascii() or not text.isprintable() or any(char in text for char in ' "<>\\^`{|}'):
        raise ValueError("the address has a character that no address has, such as a space or a letter beyond ASCII")
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        raise ValueError("the address must begin with http:// or https://")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"the address has no host that can be read, or a port beyond {_MOST_PORTS:,}") from None
    if "@" in parts.netloc:
        raise ValueError("the address holds a user or a password; keys go into a variable of their own")
    if not host:
        raise ValueError("the address has no host")
    if "?" in rest or "#" in rest:
        raise ValueError("the address has a query (?) or a fragment (#); write it up to its path")
    path = _path(parts.path, wire)
    name = f"[{host}]" if ":" in host else host
    return f"{scheme.lower()}://{name}{'' if port is None else f':{port}'}{path}"


def origin_of(address: str) -> str:
    """Return scheme, host and port of an address, for messages: a path may say more than everyone should read."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _path(path: str, wire: Wire | None) -> str:
    path = path.rstrip("/")
    operation = next((each for each in _OPERATIONS if path.endswith(each)), None)
    if operation is not None:
        raise ValueError(f"the address ends in the path of an operation, {operation}; leave that away")
    if wire is Wire.OPENAI:
        return path or "/v1"
    while path.endswith("/v1"):
        path = path.removesuffix("/v1").rstrip("/")
    return path
