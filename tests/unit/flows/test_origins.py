"""Which requests reach a server on loopback."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from thawline.flows.origins import OwnOrigin

OWN = "127.0.0.1:4200"


def passes(
    *headers: tuple[str, str], kind: str = "http", origins: tuple[str, ...] = ()
) -> tuple[bool, list[MutableMapping[str, Any]]]:
    """Whether the server saw it, and what was sent instead."""
    sent: list[MutableMapping[str, Any]] = []
    seen: list[str] = []

    async def app(scope: MutableMapping[str, Any], receive: object, send: object) -> None:
        seen.append(scope["type"])

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("nothing is read of it")

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    encoded = [(name.encode(), value.encode()) for name, value in headers]
    asyncio.run(OwnOrigin(app, origins)({"type": kind, "headers": encoded}, receive, send))
    return bool(seen), sent


def test_pages_may_ask_their_own_server_alone() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def app(scope: object, receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"page"})

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(b"host", OWN.encode())]}
    asyncio.run(OwnOrigin(app)(scope, send, send))  # type: ignore[arg-type]
    assert sent[0]["headers"] == [(b"a", b"b"), (b"content-security-policy", b"connect-src 'self'")]
    assert sent[1] == {"type": "http.response.body", "body": b"page"}


@pytest.mark.parametrize("host", [OWN, "localhost:4200", "[::1]:4200", "LOCALHOST", "127.0.0.2:80"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_programs_and_own_pages_are_served(host: str, kind: str) -> None:
    assert passes(("host", host), kind=kind)[0]
    assert passes(("host", host), ("origin", f"http://{host}"), kind=kind)[0]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("host", "evil.example")],
        [("host", "evil.example:4200"), ("origin", "http://evil.example:4200")],
        [("host", "127.0.0.1.evil.example")],
        [("host", "localhost.evil.example")],
        [("host", "192.168.0.7:4200")],
        [("host", OWN), ("host", "evil.example")],
        [("host", "[::1")],
        [("host", OWN), ("origin", "https://evil.example")],
        [("host", OWN), ("origin", "http://127.0.0.1:5000")],
        [("host", OWN), ("origin", "http://127.0.0.1")],
        [("host", OWN), ("origin", "null")],
        [("host", OWN), ("origin", "")],
        [("host", OWN), ("origin", f"http://{OWN}"), ("origin", "https://evil.example")],
    ],
)
def test_others_are_not(headers: list[tuple[str, str]]) -> None:
    seen, sent = passes(*headers)
    assert not seen
    assert [message.get("status") for message in sent] == [403, None]
    seen, sent = passes(*headers, kind="websocket")
    assert not seen
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_origins_that_are_named_are_served_too() -> None:
    share = "https://share.example"
    assert passes(("host", OWN), ("origin", share), origins=(share,))[0]
    assert passes(("host", "share.example"), ("origin", share), origins=(share,))[0]
    assert not passes(("host", OWN), ("origin", "https://other.example"), origins=(share,))[0]
    assert passes(("host", OWN), ("origin", "https://other.example"), origins=("*",))[0]
    assert not passes(("host", "other.example"), origins=("*",))[0]


def test_starting_and_ending_pass() -> None:
    assert passes(kind="lifespan")[0]
