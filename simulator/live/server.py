"""Serves the page on this machine alone: no other host's name, no other site's script, no telemetry, no foreign files."""

from __future__ import annotations

import os
import socket
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulator.live.session import Session

HOST = "127.0.0.1"
_OWN_NAMES = frozenset({HOST, "localhost"})
_FORGOTTEN_AFTER = "2m"
"""Without a word of its browser: nobody looks at a page that plays, and its calls may cost money."""


def reserved(port: int) -> socket.socket:
    """A socket of this machine alone at `port`, or at a free one for 0; OSError if it is taken."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError:
        found.close()
        raise
    return found


def serve(session: Session, at: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve the page at a reserved socket until interrupted; `ready` is told its address once it can be opened."""
    # What Solara warns of is Mesa's way of drawing no component, and a cookie that is as strict as it should be.
    warnings.filterwarnings("ignore", category=UserWarning, module="solara")
    # Before Solara is imported: it reads its settings then.
    os.environ["SOLARA_TELEMETRY_MIXPANEL_ENABLE"] = "false"
    os.environ["SOLARA_APP"] = "simulator.live.page:Page"
    import uvicorn  # noqa: PLC0415
    from solara.server import settings  # noqa: PLC0415

    settings.theme.title = f"Screentest live: {session.study.scenario.name}"
    # The page begins so, and then follows the system or its button; with "auto" Solara 1.58 leaves out the element it begins in.
    settings.theme.variant = settings.ThemeVariant.light
    settings.theme.show_banner = False
    settings.kernel.cull_timeout = _FORGOTTEN_AFTER
    settings.assets.fontawesome_enabled = False

    from solara.server.starlette import app  # noqa: PLC0415

    from simulator.live.page import offer  # noqa: PLC0415

    offer(session)

    class _Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready(f"http://{HOST}:{at.getsockname()[1]}")

    config = uvicorn.Config(OwnOrigin(app), log_level="warning", timeout_graceful_shutdown=2)
    _Server(config).run(sockets=[at])


class OwnOrigin:
    """An ASGI application that answers its own page alone: what any other site's script sends, by whatever name, is refused."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass on what is about the page itself."""
        if scope["type"] in {"http", "websocket"} and not _is_own(scope):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"this page answers at 127.0.0.1 alone\n"})
            return
        await self._app(scope, receive, send)


def _is_own(scope: dict[str, Any]) -> bool:
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    origin = headers.get(b"origin")
    if urlsplit(f"//{host}").hostname not in _OWN_NAMES:
        return False
    return origin is None or urlsplit(origin.decode("latin-1")).netloc == host
