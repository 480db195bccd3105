"""Several processes train as one does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.repo.code_graph import ROOT
from thawline.errors import UserError
from thawline.params import params_file as files
from thawline.params.schema.whole import Params
from thawline.training import distributed as groups
from thawline.training.distributed import ALONE, Group
from thawline.training.examples import order
from thawline.training.sync_batch_norm import SharedBatchNorm

SCRIPT = Path(__file__).parent / "together.py"
EVERYTHING = {"trainable": "all", "learning_rate": 0.02, "epochs": 2}


def _run(folder: Path, devices: int, **changes: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(folder), str(devices), json.dumps(changes)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=_environment(), check=False
    )


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}


def _trained(folder: Path, devices: int, **changes: object) -> dict[str, Any]:
    ended = _run(folder, devices, **changes)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads((folder / f"{devices}.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.ci
def test_two_processes_have_the_loss_curve_of_one(tmp_path: Path) -> None:
    """Batches of 16 of 62 rows, so shares of 8 and one of 7; batch norm trains in every block."""
    one = _trained(tmp_path / "a", 1, **EVERYTHING)
    two = _trained(tmp_path / "b", 2, **EVERYTHING)
    for expected, found in zip(one["epochs"], two["epochs"], strict=True):
        assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "focal", "mixup_alpha": 0.4, "cutmix_alpha": 1.0, "random_erasing": 0.5},
        {"accumulate": 2, "clip_norm": 0.1, "ema_decay": 0.9},
        {"trainable": "head"},
        {"trainable": "last_blocks", "num_blocks": 2, "unfreeze_every": 1, "batch_size": 61},
        {"trainable": "last_blocks", "num_blocks": 1, "cache": "views"},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_every_part_of_a_recipe_is_as_with_one(tmp_path: Path, changes: dict[str, object]) -> None:
    one = _trained(tmp_path / "a", 1, **EVERYTHING | changes)
    two = _trained(tmp_path / "b", 2, **EVERYTHING | changes)
    for expected, found in zip(one["epochs"], two["epochs"], strict=True):
        assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_a_killed_run_of_two_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    changes = {**EVERYTHING, "epochs": 3, "dropout": 0.5}
    whole = _trained(tmp_path / "whole", 2, **changes)
    assert _run(tmp_path / "cut", 2, **changes, stop_after=1).returncode == 137
    kept = list((tmp_path / "cut" / "kept").glob("*.checkpoint"))
    assert len(kept) == 1
    assert _trained(tmp_path / "cut", 2, **changes) == whole


@pytest.mark.slow
def test_two_processes_that_torchrun_starts_are_those_that_params_start(tmp_path: Path) -> None:
    own = _trained(tmp_path / "own", 2, **EVERYTHING)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = [str(SCRIPT), str(tmp_path / "run"), "2", json.dumps(EVERYTHING)]
    subprocess.run(
        [*launch, *arguments], check=True, timeout=120, env=_environment(), capture_output=True
    )
    assert json.loads((tmp_path / "run" / "2.json").read_text()) == own


@pytest.mark.slow
def test_a_process_that_fails_ends_the_others_with_its_message(tmp_path: Path) -> None:
    ended = _run(tmp_path, 2, **EVERYTHING, fails="no memory left")
    assert ended.returncode != 0
    assert ended.stderr.splitlines()[-1].endswith(
        "training.devices: process 2 ended: no memory left"
    )


@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_batch_norm_over_shares_is_that_of_the_batch(momentum: float) -> None:
    torch.manual_seed(0)
    batch = (3 + torch.randn(7, 4, 5, 3)).requires_grad_()
    weight, bias = torch.rand(4).requires_grad_(), torch.rand(4).requires_grad_()
    means, variances = [torch.zeros(4), torch.zeros(4)], [torch.ones(4), torch.ones(4)]
    expected = functional.batch_norm(
        batch, means[0], variances[0], weight, bias, training=True, momentum=momentum
    )
    rows = _row_of(batch[1::2])
    with SharedBatchNorm(lambda row: torch.cat([row, rows])):
        found = functional.batch_norm(
            batch[::2], means[1], variances[1], weight, bias, training=True, momentum=momentum
        )
    torch.testing.assert_close(found, expected[::2])
    torch.testing.assert_close(means[1], means[0])
    torch.testing.assert_close(variances[1], variances[0])


def _row_of(part: torch.Tensor) -> torch.Tensor:
    variance, mean = torch.var_mean(part, [0, 2, 3], correction=0)
    return torch.cat([variance, mean, torch.tensor([part.numel() / 4.0])])[None]


def test_a_norm_that_is_fixed_is_left_alone() -> None:
    batch, mean, variance = torch.randn(4, 3, 2, 2), torch.rand(3), torch.rand(3) + 1

    def never(row: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    with SharedBatchNorm(never):
        found = functional.batch_norm(batch, mean, variance, training=False)
    assert torch.equal(found, functional.batch_norm(batch, mean, variance, training=False))


@pytest.mark.parametrize(("rows", "size"), [(9, 2), (8, 3), (4, 4)])
def test_shares_are_all_rows_once(rows: int, size: int) -> None:
    shares = [Group(rank=rank, size=size).share(np.arange(rows)) for rank in range(size)]
    assert sorted(np.concatenate(shares)) == list(range(rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_no_batch_has_fewer_examples_than_processes() -> None:
    batches = order(67, 16, seed=0, epoch=0, processes=4)
    assert [len(batch) for batch in batches] == [16, 16, 16, 19]
    assert sorted(np.concatenate(batches)) == list(range(67))


@pytest.fixture
def params() -> Params:
    return files.load(ROOT / "params.yaml")


def _training(params: Params, **changes: object) -> Params:
    training = params.training.model_copy(update=changes)
    return params.model_copy(update={"training": training})


def test_one_device_is_this_process(params: Params) -> None:
    with groups.start_group(params) as group:
        assert group is ALONE


def test_a_batch_that_cannot_be_shared_is_refused(params: Params) -> None:
    wanted = _training(params, devices=4, batch_size=3, device="cpu")
    with (
        pytest.raises(UserError, match=r"training.devices: 4 share .* at least 4"),
        groups.start_group(wanted),
    ):
        pass


def test_small_batches_and_compiled_networks_have_one_device(params: Params) -> None:
    for change in ({"batch_size": 1}, {"compile": True}):
        wanted = _training(params, devices=2, device="cpu", **change)
        with pytest.raises(UserError, match=r"training.devices: 2"), groups.start_group(wanted):
            pass


def test_another_number_of_processes_than_in_params_is_refused(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(UserError, match=r"training.devices: 2, but .* 3 processes"),
        groups.start_group(_training(params, devices=2)),
    ):
        pass
