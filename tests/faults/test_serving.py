"""The served model among many clients, and among those that hang or send something else."""

import base64
import io
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psutil
import pytest
from PIL import Image

from tests.tracking.conftest import make
from tests.tracking.test_publish import serving, with_model

pytestmark = pytest.mark.slow
JSON = "application/json"
_GROWTH_BYTES = 150 * 2**20


def picture(side_px: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (side_px, side_px), (250, 10, 10)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def body(*images: str) -> bytes:
    return json.dumps({"inputs": {"image": list(images)}}).encode()


def ask(address: str, data: bytes, kind: str = JSON) -> int:
    headers = {"Content-Type": kind} if kind else {}
    request = urllib.request.Request(f"{address}/invocations", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            assert "predictions" in json.load(answer)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def memory_bytes(address: str) -> int:
    port = urlsplit(address).port
    (server,) = {c.pid for c in psutil.net_connections() if c.status == "LISTEN" and c.laddr and
                 c.laddr[1] == port}  # fmt: skip
    process = psutil.Process(server)
    return sum(p.memory_info().rss for p in (process, *process.children(recursive=True)))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for all of them: what one test did to it, the next would notice."""
    with serving(
        with_model(make(tmp_path_factory.mktemp("served"))), tmp_path_factory.mktemp("elsewhere")
    ) as address:
        yield address


@pytest.fixture
def hanging(served: str) -> Iterator[list[socket.socket]]:
    """Clients that say nothing, half a head, or half of what they announced."""
    place = urlsplit(served)
    started = (
        b"",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b'Content-Length: 100000\r\n\r\n{"inputs": ',
    )
    clients = [socket.create_connection((place.hostname, place.port)) for _ in range(30)]
    for number, client in enumerate(clients):
        client.sendall(started[number % 3])
    yield clients
    for client in clients:
        client.close()


def test_a_hundred_clients_at_once(served: str) -> None:
    few, many = body(picture(90)), body(*[picture(400)] * 5)
    assert ask(served, many) == 200
    before = memory_bytes(served)
    with ThreadPoolExecutor(100) as clients:
        answers = list(clients.map(lambda n: ask(served, few if n % 10 else many), range(200)))
    assert answers == [200] * 200
    assert memory_bytes(served) - before < _GROWTH_BYTES


def test_clients_that_hang_keep_nobody_waiting(served: str, hanging: list[socket.socket]) -> None:
    began = time.monotonic()
    for _ in range(5):
        assert ask(served, body(picture(90))) == 200
    assert time.monotonic() - began < 20
    for client in hanging:
        client.close()
    assert ask(served, body(picture(90))) == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "image/png", "application/xml", "", "a/b; c=\u00fc"]
)
def test_another_kind_of_content_is_refused(served: str, kind: str) -> None:
    assert ask(served, body(picture(90)), kind) in (400, 415)
    assert ask(served, b"{", JSON) == 400
    assert ask(served, body(picture(90))) == 200
