"""An execution in a folder that several machines share."""

import socket
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from thawline.runtime import execution


def test_another_machines_execution_is_not_ours_to_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THAWLINE_PROJECT", str(tmp_path))
    gone = execution.Execution("far", 2**22 + 1, 0.0, True, "another machine")
    with execution.changed(gone) as state:
        state["host"] = "where the tracking process listens"
    ((known, _),) = execution.everything()
    assert known == gone
    assert execution.alive(known)
    assert not execution.alive(replace(known, machine=socket.gethostname()))
    assert execution.find_for_process(gone.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a start is a time of day")
def test_a_clock_that_is_set_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THAWLINE_PROJECT", str(tmp_path))
    monkeypatch.delenv(execution.VARIABLE, raising=False)
    before = execution.launch()
    told = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: told(self) + 28)
    assert execution.alive(before)
    assert execution.identify().started == before.started
    assert not execution.alive(replace(before, started=before.started + 1))
