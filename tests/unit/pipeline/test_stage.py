"""How a stage ends that a process of its own lets down."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thawline.errors import ChildDiedError

PROGRAM = """\
import os, signal, sys
from thawline.pipeline import stage_main

def main(params, run):
    import torch
    from torch.utils.data import DataLoader
    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return 100
        def __getitem__(self, row):
            os.kill(os.getpid(), signal.SIGKILL)
    list(DataLoader(Rows(), num_workers=1))

stage_main.run("fine_tune", main)
"""


@pytest.mark.slow
def test_a_loader_that_is_killed_is_a_line(tmp_path: Path, repository: Path) -> None:
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    assert text.count("tracking:\n  enabled: true") == 1
    text = text.replace("tracking:\n  enabled: true", "tracking:\n  enabled: false")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    (tmp_path / ".dvc").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(repository)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == ChildDiedError.exit_code
    last = done.stderr.splitlines()[-1]
    assert last.startswith("fine_tune: a process that augments images was killed (SIGKILL)")
    assert "Traceback" not in done.stderr
