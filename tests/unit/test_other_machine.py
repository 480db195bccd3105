"""An execution in a folder that several machines share."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from thawline.tracking import execution


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
    assert execution.of_process(gone.pid) is None
