"""Whatever lies damaged in the scratch folder costs at most a recomputation."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from thawline.dvc import cache, input_check
from thawline.runtime import execution, locks
from thawline.tracking import closing, journal

GARBAGE = [b"", b"\xff\xfe\x00", b"{", b"[]", b"3", b'{"stages": []}', b'{"stages": {}}', b"null"]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def _journal(*events: str) -> journal.Journal:
    made = journal.Journal.create(header={"run_id": "a" * 32, "parent_run_id": "b" * 32})
    for name in events:
        made.append({"event": name})
    return made


def _sent(waiting: journal.Journal) -> tuple[list[Any], str]:
    found: list[Any] = []
    said = waiting.send(lambda event: found.append(event["event"]))
    return found, said


def test_half_a_line_in_the_middle_is_kept_and_the_others_are_sent() -> None:
    made = _journal("one")
    with (made.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "lo')
    for name in ("two", "three"):
        made.append({"event": name})
    found, said = _sent(made)
    assert found == ["one", "two", "three"]
    kept = Path(".thawline/journal-damaged") / made.folder.name / "events.jsonl"
    assert said.startswith("1 line(s) of ")
    assert b'{"event": "lo' in kept.read_bytes()
    assert journal.waiting() == []


def test_half_a_line_at_the_end_is_said() -> None:
    made = _journal("one")
    with (made.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "tw\xff')
    assert _sent(made) == (["one"], _said(made))


def _said(made: journal.Journal) -> str:
    place = Path.cwd() / ".thawline/journal-damaged" / made.folder.name / "events.jsonl"
    return f"1 line(s) of {place} cannot be read; the others are sent"


@pytest.mark.parametrize("mark", [b"", b"\xff", b"two"])
def test_a_damaged_note_of_what_was_sent_sends_all(mark: bytes) -> None:
    made = _journal("one", "two")
    (made.folder / "sent").write_bytes(mark)
    assert _sent(made) == (["one", "two"], "")
    assert not made.folder.exists()


def test_a_whole_note_sends_the_rest() -> None:
    made = _journal("one", "two")
    (made.folder / "sent").write_text("1")
    assert _sent(made) == (["two"], "")


@pytest.mark.parametrize("header", [b"", b"\xff\xfe", b"[1]", b"{}", b"3"])
def test_a_damaged_header_is_a_value_error(header: bytes) -> None:
    made = _journal("one")
    (made.folder / "header.json").write_bytes(header)
    (found,) = journal.waiting()
    with pytest.raises(ValueError):  # noqa: PT011 - whose text is shown as it is
        _ = found.header


@pytest.mark.parametrize("content", GARBAGE)
def test_states_of_executions(content: bytes) -> None:
    whole = execution.launch()
    folder = Path(".thawline/executions")
    (folder / "damaged.json").write_bytes(content)
    (folder / "gone.json").symlink_to("nowhere")
    assert [found.id for found, _ in execution.everything()] == [whole.id]


@pytest.mark.parametrize("content", [*GARBAGE, b"a\x1b[2J\nb"])
def test_owners_of_locks(content: bytes) -> None:
    with locks.pipeline():
        (note,) = Path(".thawline/locks").glob("*.owner")
        note.write_bytes(content)
        with pytest.raises(locks.BusyError) as caught, locks.pipeline():
            pass
    assert str(caught.value).isprintable()
    note.write_bytes(content)  # of one that was killed
    with locks.pipeline():
        pass


def test_what_was_remembered_is_written_whole() -> None:
    closing.remember("d" * 32)
    assert closing.remembered_path().read_text() == "d" * 32 + "\n"
    assert [path.name for path in closing.remembered_path().parent.iterdir()] == ["recorded"]


@pytest.mark.parametrize("content", [*GARBAGE, b'{"a": 5, "b": [1, 2], "c": ["x", "y"]}'])
def test_what_was_received(content: bytes) -> None:
    path = Path(".thawline/received.json")
    path.parent.mkdir()
    path.write_bytes(content)
    assert all(isinstance(look, str) for look, _ in input_check._known().values())


@pytest.mark.parametrize("name", ["../../../victim", "/victim", "aa/../../../../victim", 3, None])
def test_a_list_in_the_cache_names_hashes_only(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, name: object
) -> None:
    monkeypatch.setattr(cache, "_cache", lambda: workspace / "cache")
    victim = workspace / "victim"
    victim.write_text("of somebody")
    listed = json.dumps([{"md5": name, "relpath": "a"}]).encode()
    digest = hashlib.md5(listed, usedforsecurity=False).hexdigest()
    stored = workspace / "cache/files/md5" / digest[:2] / f"{digest[2:]}.dir"
    stored.parent.mkdir(parents=True)
    stored.write_bytes(listed)
    assert cache.cached(name) is None
    assert input_check._remove_damaged(f"{digest}.dir") == 0
    assert victim.exists()
