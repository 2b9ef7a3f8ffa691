"""The providers that the proxy stands for, as a table: where each is, and which variables lead its SDKs elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.errors import UsageError
from tapemeter.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Upstream(Value):
    """A provider: its name in the proxy's URLs, its address, and the variables of its SDKs.

    `variables` name an address; `suffix` is what SDKs expect at its end. `keys` name the key.
    """

    name: str
    address: str
    variables: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    suffix: str = ""


KNOWN = (
    Upstream("openai", "https://api.openai.com", ("OPENAI_BASE_URL", "OPENAI_API_BASE"), ("OPENAI_API_KEY",), "/v1"),
    Upstream("anthropic", "https://api.anthropic.com", ("ANTHROPIC_BASE_URL",), ("ANTHROPIC_API_KEY",)),
    Upstream(
        "gemini",
        "https://generativelanguage.googleapis.com",
        ("GOOGLE_GEMINI_BASE_URL",),
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ),
    Upstream("mistral", "https://api.mistral.ai", ("MISTRAL_BASE_URL",), ("MISTRAL_API_KEY",)),
    Upstream("groq", "https://api.groq.com", ("GROQ_BASE_URL",), ("GROQ_API_KEY",)),
    Upstream("cohere", "https://api.cohere.com", ("CO_API_URL",), ("CO_API_KEY",)),
    Upstream("ollama", "http://127.0.0.1:11434", ("OLLAMA_HOST",), ()),
)


def table(environ: Mapping[str, str], given: Mapping[str, str] | None = None) -> dict[str, Upstream]:
    """Return the providers by name: `given` addresses over those that the environment names over the public ones.

    UsageError for an address that is none.
    """
    found = {}
    for known in KNOWN:
        named = next((environ[name] for name in known.variables if environ.get(name)), None)
        found[known.name] = _at(known, named) if named else known
    for name, address in (given or {}).items():
        if not name.isidentifier():
            raise UsageError(f"the upstream {name!r} has no name that can stand in a URL; use letters, digits and _")
        found[name] = _at(found.get(name) or Upstream(name, ""), address)
    return found


def environment(base_url: str, upstreams: Iterable[Upstream], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that lead a program's SDKs to the proxy at `base_url`.

    Keys that are there stay; for the others there is one that will do, since replay asks for none.
    """
    made = {name: _plus_loopback(environ.get(name, "")) for name in ("NO_PROXY", "no_proxy")}
    for upstream in upstreams:
        address = f"{base_url}/{upstream.name}{upstream.suffix}"
        made.update(dict.fromkeys(upstream.variables, address))
        made.update({key: environ.get(key) or "replayed-by-tapemeter" for key in upstream.keys})
    return made


def _at(upstream: Upstream, address: str) -> Upstream:
    text = address if "://" in address else f"http://{address}"
    scheme, _, rest = text.partition("://")
    if scheme not in {"http", "https"} or not rest.strip("/"):
        raise UsageError(f"the address of {upstream.name} is {address!r}; write one with http or https and a host")
    root = text.rstrip("/").removesuffix(upstream.suffix) if upstream.suffix else text.rstrip("/")
    return Upstream(upstream.name, root, upstream.variables, upstream.keys, upstream.suffix)


def _plus_loopback(hosts: str) -> str:
    return ",".join(dict.fromkeys([*filter(None, hosts.split(",")), "127.0.0.1", "localhost"]))
