"""A training process that gets SIGKILL goes on and ends in the same bits."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.project import wait_for
from thawline.training.recipe import Recipe

Change = Callable[..., Recipe]
SCRIPT = """
    import sys, time
    from collections import OrderedDict
    from pathlib import Path
    import torch
    from torch import nn
    from torch.nn import functional
    from thawline.training import resume
    from thawline.training.examples import HeldExamples
    from thawline.training.loop import Validation, fit
    from thawline.training.freezing import freeze
    from thawline.training.recipe import Recipe
    from thawline.models.checkpoint import WEIGHTS
    from safetensors.torch import save_file

    resume.SHORTEST_S = 0.0
    folder, slow = Path(sys.argv[1]), float(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = torch.randn(60, 8), torch.arange(60) % 3
    network = nn.Sequential(OrderedDict(
        body=nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU()),
        head=nn.Sequential(nn.Dropout(0.3), nn.Linear(32, 3)),
    ))
    recipe = Recipe(**{recipe})

    def to_input(batch):
        time.sleep(slow)
        return batch

    fit(network, freeze(network, "all"),
        HeldExamples(views=[x], labels=y, batch_size=10, seed=0), to_input,
        Validation(logits=lambda net: net(x), labels=y), recipe,
        loss=functional.cross_entropy, device=torch.device("cpu"), precision="float32",
        on_epoch=lambda *_: None,
        resume=resume.Resume("fine_tune", {{}}, minutes=1e-9, folder=folder))
    save_file(network.state_dict(), folder / WEIGHTS)
"""


@pytest.mark.slow
def test_sigkill_at_any_moment(recipe: Change, tmp_path: Path) -> None:
    chosen = recipe(epochs=10, optimizer="adam", ema_decay=0.9, schedule="cosine")
    script = textwrap.dedent(SCRIPT).format(recipe=vars(chosen))

    def start(folder: Path, slow: float) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        words = [sys.executable, "-c", script, str(folder), str(slow)]
        with (folder / "said").open("wb") as said:
            return subprocess.Popen(words, stderr=said)

    assert start(tmp_path / "whole", 0.0).wait(60) == 0
    process = start(tmp_path / "killed", 0.02)
    wait_for(lambda: "epoch" in (tmp_path / "killed" / "said").read_text(), 60)
    time.sleep(0.3)
    process.kill()
    process.wait(10)
    assert start(tmp_path / "killed", 0.0).wait(60) == 0
    assert "fine_tune: resumes after epoch" in (tmp_path / "killed" / "said").read_text()
    (one, other) = ((tmp_path / n / "model.safetensors").read_bytes() for n in ("whole", "killed"))
    assert one == other
