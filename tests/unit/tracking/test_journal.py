"""What a stage writes down for MLflow: whole lines, read while they are written."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.repo.code_graph import ROOT
from thawline.runtime import execution
from thawline.tracking import journal
from thawline.tracking.journal import Journal

HEADER = {"run_id": "a" * 32, "parent_run_id": "b" * 32}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)


def start(writer: execution.Execution) -> dict[str, Any]:
    return {"event": "start", "stage": "ingest", "writer": asdict(writer)}


def names(found: list[Any]) -> list[str | None]:
    return [event and event["event"] for event in found]


def test_lines_are_read_once_and_half_a_line_waits_for_its_end() -> None:
    made = Journal.create(header=HEADER)
    made.append({"event": "one"})
    reader = Journal(made.folder)
    assert names(reader.read(whole=False)) == ["one"]
    with (made.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "tw')
        file.flush()
        assert reader.read(whole=False) == []
        file.write(b'o"}\n')
    assert names(reader.read(whole=False)) == ["two"]
    reader.note_sent()
    assert Journal(made.folder).sent() == 2


def test_a_disk_that_is_full_takes_a_line_whole_or_not_at_all() -> None:
    made = Journal.create(header=HEADER)
    made.append({"event": "one"})
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from thawline.tracking.journal import Journal\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, resource.RLIM_INFINITY))\n"
        "try: Journal(Path(sys.argv[1])).append({'event': 'two', 'values': 'x' * 99})\n"
        "except OSError: sys.exit(7)"
    )
    command = [sys.executable, "-c", code, str(made.folder.resolve())]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 7
    made.append({"event": "three"})
    assert names(made.read()) == ["one", "three"]


def test_files_are_copied_when_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("first")
    made = Journal.create(header=HEADER)
    made.append({"event": "artifact", "files": [["report", "made"]]})
    (tmp_path / "report").write_text("second")
    ((event,),) = ([found for found in made.read() if found],)
    ((path, folder),) = event["files"]
    assert (Path(path).read_text(), folder) == ("first", "made")


def test_what_somebody_still_writes_does_not_wait() -> None:
    here = execution.of_this_process()
    Journal.create(start(here))
    assert journal.waiting() == []
    left = Journal.create(start(replace(here, started=here.started - 1)))
    assert [found.folder for found in journal.waiting()] == [left.folder]


def test_another_machine_s_waits_once_it_has_its_end() -> None:
    made = Journal.create(start(replace(execution.of_this_process(), machine="another")))
    assert journal.waiting() == []
    made.append({"event": "end"})
    assert len(journal.waiting()) == 1


def test_what_an_earlier_version_left_waits_too(tmp_path: Path) -> None:
    left = tmp_path / ".thawline" / "spool" / "1-a"
    left.mkdir(parents=True)
    (left / "events.jsonl").write_text('{"event": "one"}\n')
    assert [found.folder for found in journal.waiting()] == [left]


def test_one_process_sends_it_at_a_time() -> None:
    made = Journal.create(header=HEADER)
    with made.held() as first, Journal(made.folder).held() as second:
        assert (first, second) == (True, False)
        made.remove()
    assert list(made.folder.parent.iterdir()) == []


@pytest.mark.parametrize("writer", [None, 3, {}, {"pid": "x"}, {"id": "", "pid": -5, "started": 0}])
def test_a_damaged_first_line_is_of_nobody(writer: object) -> None:
    made = Journal.create({"event": "start", "stage": "ingest", "writer": writer})
    assert [found.folder for found in journal.waiting()] == [made.folder]
