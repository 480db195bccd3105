"""Restrict a server on loopback to local programs and its own pages."""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

ANY = "*"
_REFUSED = b"refused: the Host or Origin of this request is not the server's own\n"
_CONNECT = (b"content-security-policy", b"connect-src 'self'")
"""Keeps the server's pages from telling others that they were opened, as Prefect's newer ones do
whatever its setting for analytics says."""
_POLICY = 1008
"""Code by which a websocket is closed that a rule forbids."""


class OwnOrigin:
    """ASGI middleware that answers 403 to a foreign Host or Origin, for HTTP and websockets.

    A page whose name was made to point to this machine sends that name as Host; every page sends
    where it comes from as Origin with whatever could change something. CORS rules alone do not
    help: they keep answers from a page, not requests from a server, and no websocket asks them.

    Args:
        app: the server, an ASGI application.
        origins: such as `https://share.example`, allowed beside the own; `*` for all.
    """

    def __init__(self, app: App, origins: Sequence[str] = ()) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in origins if origin != ANY)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:

        async def confined(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), _CONNECT]}
            await send(message)

        if scope["type"] == "lifespan" or self._is_own(scope["headers"]):
            await self._app(scope, receive, confined)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY, "reason": "foreign origin"})
        else:
            headers = [(b"content-type", b"text/plain")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSED})

    def _is_own(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Return True for a request to this machine by name that no foreign page made."""
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not (hosts[0] in self._hosts or _is_loopback(hosts[0])):
            return False
        own = {f"http://{hosts[0]}", f"https://{hosts[0]}"} | self._origins
        given = [value.decode("latin-1").lower() for name, value in headers if name == b"origin"]
        return ANY in own or all(origin in own for origin in given)


def _is_loopback(host: str) -> bool:
    """Return True for a host name or address of this machine.

    The port does not matter: a tunnel to the server has one of its own.
    """
    try:
        name = urlsplit(f"http://{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
