"""The served model among many clients, and among those that hang or send something else."""

import base64
import io
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from tests.tracking.conftest import make
from tests.tracking.test_publish import serving, with_model
from tests.tracking.test_served_model import empty_png

pytestmark = pytest.mark.slow
JSON = "application/json"
MARK = "MARKED"
_GROWTH_BYTES = 150 * 2**20
_LEFT_BYTES = 100 * 10**6


def picture(side_px: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (side_px, side_px), (250, 10, 10)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def body(*images: str) -> bytes:
    return json.dumps({"inputs": {"image": list(images)}}).encode()


def said(address: str, data: bytes, kind: str = JSON) -> tuple[int, str]:
    """Status and text of the answer."""
    headers = {"Content-Type": kind} if kind else {}
    request = urllib.request.Request(f"{address}/invocations", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def ask(address: str, data: bytes, kind: str = JSON) -> int:
    status, text = said(address, data, kind)
    assert (status == 200) == ("predictions" in json.loads(text))
    return status


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


def table(write: str) -> bytes:
    """One image in a table, as CSV or Parquet."""
    buffer = io.BytesIO()
    getattr(pd.DataFrame({"image": [picture(90)]}), write)(buffer, index=False)
    return buffer.getvalue()


def only_a_message(status: int, text: str, sent: bytes) -> str:
    """The message of a refusal, which has nothing else: no path, no part of what was sent."""
    answer = json.loads(text)
    assert set(answer) == {"error_code", "message"}, text[:500]
    assert "\n" not in answer["message"]
    assert len(text) < 400
    assert not any(word in text for word in ("Traceback", "site-packages", ".py", "/tmp", "/home"))
    assert MARK not in text
    assert len(sent) < 20 or sent.decode("latin-1") not in text
    return str(answer["message"])


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("text/plain", None),
        ("image/png", None),
        ("application/xml", None),
        ("", None),
        ("a/b; c=\u00fc", None),
        ("application/json; charset=utf-16", None),
        ("application/json; MARKED=1", None),
        ("text/csv", "to_csv"),
        ("application/vnd.apache.parquet", "to_parquet"),
    ],
)
def test_another_kind_of_content_is_refused(served: str, kind: str, write: str | None) -> None:
    sent = table(write) if write else body(picture(90))
    status, text = said(served, sent, kind)
    assert status == 415
    assert "Content-Type: application/json" in only_a_message(status, text, b"")
    assert ask(served, body(picture(90))) == 200


@pytest.mark.parametrize("kind", ["application/json; charset=UTF-8", "APPLICATION/JSON"])
def test_spellings_of_json_are_json(served: str, kind: str) -> None:
    assert ask(served, body(picture(90)), kind) == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b'"MARKED"',
        b'["MARKED"]',
        b"null",
        b"[" * 100_000,
        b'{"inputs": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"inputs": [1' + b"0" * 5000 + b"]}",
        b'{"inputs": ["MARKED\xff"]}',
        b'{"MARKED": ["MARKED"]}',
        b'{"inputs": ["MARKED"], "instances": ["MARKED"]}',
        b'{"inputs": {"wrong": ["MARKED"]}}',
        b'{"inputs": {"image": {"MARKED": 1}}}',
        b'{"inputs": {"image": ["MARKED"], "more": ["MARKED", "MARKED"]}}',
        b'{"inputs": null}',
        b'{"inputs": "MARKED!"}',
        b'{"inputs": [{"b64": "MARKED"}]}',
        b'{"instances": [{"wrong": "MARKED"}]}',
        b'{"instances": [{"image": "MARKED!"}, "MARKED"]}',
        b'{"dataframe_split": "MARKED"}',
        b'{"dataframe_split": {"columns": ["a"], "data": [["MARKED"]]}}',
        b'{"dataframe_split": {"columns": ["image"], "data": [["MARKED", 2]]}}',
        b'{"dataframe_records": {"MARKED": 1}}',
        b'{"dataframe_records": [{"other": "MARKED"}]}',
        b'{"inputs": ["MARKED!"], "params": {"MARKED": 1}}',
        b'{"messages": [{"role": "MARKED", "content": "MARKED"}]}',
        b'{"prompt": "MARKED"}',
        b'{"inputs": ["http://127.0.0.1:9/MARKED"]}',
        b'{"inputs": ["MARKEDTEXT=="]}',
        b'{"inputs": [[["MARKED"]]]}',
        b'{"inputs": [[[0, 1], [2]]]}',
        b'{"inputs": [NaN, Infinity]}',
        b'{"inputs": []}',
    ],
)
def test_a_mistake_is_one_message_that_repeats_nothing(served: str, sent: bytes) -> None:
    status, text = said(served, sent)
    assert status == 400, text[:500]
    assert only_a_message(status, text, sent)


@pytest.mark.parametrize(
    "form",
    [
        lambda text: {"inputs": [text]},
        lambda text: {"inputs": {"image": [text]}},
        lambda text: {"instances": [{"image": text}]},
        lambda text: {"dataframe_records": [{"image": text}]},
        lambda text: {"dataframe_split": {"columns": ["image"], "data": [[text]]}},
        lambda text: {"inputs": [f"data:image/png;base64,{text}"]},
        lambda text: {"inputs": [text.replace("+", "-").replace("/", "_").rstrip("=")]},
        lambda _: {"inputs": {"image": [[[[250, 10, 10]] * 4] * 4]}},
        lambda _: {"inputs": {"image": [[[[90]] * 4] * 4]}},
        lambda _: {"dataframe_records": [{"image": [[[90]] * 4] * 4}]},
    ],
)
def test_forms_of_a_request(served: str, form: Callable[[str], object]) -> None:
    status, text = said(served, json.dumps(form(picture(90))).encode())
    assert status == 200, text
    assert len(json.loads(text)["predictions"]) == 1


def test_memory_is_back_after_the_worst_request(served: str) -> None:
    """Measure the process that serves, whose threads decode, after one small request."""
    assert ask(served, body(picture(90))) == 200
    time.sleep(1)
    before = memory_bytes(served)
    huge, deep = base64.b64encode(empty_png(12_000)).decode(), grey_png(5_000)
    photographs = [noise_png(1_200)] * 60
    lists = [np.full((700, 700, 3), 7).tolist()]
    worst = [
        body(huge, huge, huge),
        body(*[deep] * 4),
        body(*photographs),
        body(*[picture(90)] * 1_000),
        json.dumps({"inputs": {"image": lists}}).encode(),
    ]
    for sent in worst:
        assert ask(served, sent) == 200
    assert ask(served, body(*[huge] * 4)) == 400
    with ThreadPoolExecutor(3) as clients:
        assert list(clients.map(lambda sent: ask(served, sent), worst[1:4])) == [200] * 3
    deadline = time.monotonic() + 10
    while memory_bytes(served) - before >= _LEFT_BYTES:
        assert time.monotonic() < deadline, f"{(memory_bytes(served) - before) / 2**20:.0f} MB more"
        time.sleep(0.5)


def noise_png(side_px: int) -> str:
    """Make an image that compresses to nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
    return as_text(Image.fromarray(pixels))


def grey_png(side_px: int) -> str:
    """Make one of 16 bits, which take the most memory to read."""
    return as_text(Image.fromarray(np.full((side_px, side_px), 9000, dtype=np.uint16)))


def as_text(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return base64.b64encode(buffer.getvalue()).decode()
