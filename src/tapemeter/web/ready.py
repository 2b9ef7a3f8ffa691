"""`GET /ready?profile=core|llm|full`, for load balancers and orchestrators: a plain ASGI application.

    200   ready; the body is the result of every check
    503   not ready; the same
    400   the profile is unknown          404   another path          405   neither GET nor HEAD

Run it with any ASGI server, `uvicorn tapemeter.web.ready:app`, or mount it in an application. Requests for the same
profile within a second share one result, so that nobody who asks often has a provider asked as often.
"""

from __future__ import annotations

import json
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tapemeter.client.readiness import REPORT_DIR, TIMEOUT, Profile, acheck

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from anyio import Lock

    from tapemeter.client.config import ProviderConfig
    from tapemeter.client.readiness import Readiness

    Scope = Mapping[str, Any]
    Receive = Callable[[], Awaitable[Mapping[str, Any]]]
    Send = Callable[[Mapping[str, Any]], Awaitable[None]]

PATH = "/ready"
SHARED_SECONDS = 1.0
"""For how long a result is given to others who ask."""
_LONGEST_QUERY = 200


class ReadyApp:
    """The application. `config`, `root`, `report_dir` and `timeout` are those of `tapemeter.client.readiness.check`."""

    def __init__(
        self,
        config: ProviderConfig | Path | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        root: Path | None = None,
        report_dir: Path = REPORT_DIR,
        timeout: float = TIMEOUT,
    ) -> None:
        self._config, self._environ, self._root = config, environ, root
        self._report_dir, self._timeout = report_dir, timeout
        self._locks: dict[Profile, Lock] = {}
        self._latest: dict[Profile, tuple[float, Readiness]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI 3 has it."""
        match scope["type"]:
            case "lifespan":
                await _live(receive, send)
            case "http":
                status, value = await self._answer(scope)
                await _send(send, status, value, body=scope["method"] != "HEAD")
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope) -> tuple[int, dict[str, Any]]:
        path: str = scope["path"]
        if path.removeprefix(scope.get("root_path", "")) != PATH:
            return 404, {"error": f"there is nothing here; ask for {PATH}?profile={'|'.join(Profile)}"}
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, {"error": "ask with GET or HEAD"}
        asked = _profile(scope.get("query_string", b""))
        if asked is None:
            return 400, {"error": f"profile: expected one of {', '.join(Profile)}"}
        found = await self._shared(asked)
        return (200 if found.ok else 503), found.document()

    async def _shared(self, profile: Profile) -> Readiness:
        """Return a result that is no older than a second; who comes while it is made waits for that."""
        from anyio import Lock  # noqa: PLC0415 - comes with httpx, and is needed once somebody asks

        asked = monotonic()
        async with self._locks.setdefault(profile, Lock()):
            latest = self._latest.get(profile)
            if latest is None or latest[0] < asked - SHARED_SECONDS:
                found = await acheck(
                    profile,
                    self._config,
                    environ=self._environ,
                    root=self._root,
                    report_dir=self._report_dir,
                    timeout=self._timeout,
                )
                latest = self._latest[profile] = (monotonic(), found)
            return latest[1]


def _profile(query: bytes) -> Profile | None:
    """Return the profile that a query asks for, core where it names none; None where it is unknown, or named twice."""
    if len(query) > _LONGEST_QUERY:
        return None
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("profile", [Profile.CORE.value])
    return Profile(given[0]) if len(given) == 1 and given[0] in list(Profile) else None


async def _live(receive: Receive, send: Send) -> None:
    """Answer the server's start and end; there is nothing to prepare."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return


async def _send(send: Send, status: int, value: dict[str, Any], *, body: bool) -> None:
    data = json.dumps(value, ensure_ascii=False).encode() + b"\n"
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(data)).encode()),
        (b"cache-control", b"no-store"),
        *([(b"allow", b"GET, HEAD")] if status == 405 else []),  # noqa: PLR2004 - see the table above
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data if body else b""})


app = ReadyApp()
"""The application with everything by default: environment, config file and current folder as the server has them."""
