"""A file of the library's own weights gives the library's logits; other files are refused."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from tests.contract.networks import FIRSTS, each, inputs
from thawline.errors import UserError
from thawline.models import network
from thawline.models.network import Network
from thawline.models.pretrained import Loaded
from thawline.params import plugins
from thawline.params.schema.design import ORIGINAL


def library(name: str, family: str) -> nn.Module:
    torch.manual_seed(3)
    if family == "timm" or name not in models.list_models():
        return timm.create_model(name, num_classes=5).eval()
    more = {"init_weights": True, "aux_logits": True} if family == "inception" else {}
    return models.get_model(name, weights=None, num_classes=5, **more).eval()


def loaded(family: str, name: str, path: Path, **options: object) -> tuple[Network, Loaded]:
    found: list[Loaded] = []
    given = {"num_classes": 5, "dropout": 0.0, "seed": 0, "on_loaded": found.append, **options}
    return network.build_pretrained(family, name, weights_file=path, **given).eval(), found[0]


def saved(state: dict[str, torch.Tensor], folder: Path) -> Path:
    path = folder / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    return path


@each
def test_logits_are_the_library_s(family: str, name: str, tmp_path: Path) -> None:
    theirs = library(name, family)
    path = saved(theirs.state_dict(), tmp_path)
    net, what = loaded(family, name, path, keep_head=True)
    images = inputs(family, name)
    with torch.inference_mode():
        assert torch.allclose(net(images), theirs(images), atol=1e-5)
    assert what.new == ()
    assert what.num_kept == what.num_tensors == len(theirs.state_dict())
    assert len(what.sha256) == 64


@pytest.mark.parametrize("family", ["resnet", "shufflenet", "inception", "timm"])
def test_only_the_classifiers_are_new(family: str, tmp_path: Path) -> None:
    theirs = library(FIRSTS[family], family)
    path = saved(theirs.state_dict(), tmp_path)
    _, what = loaded(family, FIRSTS[family], path, num_classes=3)
    expected = {
        "inception": ("aux1.fc2", "aux2.fc2", "fc"), "timm": ("classifier",)
    }.get(family, ("fc",))  # fmt: skip
    assert {key.rsplit(".", 1)[0] for key in what.new} == set(expected)


@pytest.mark.parametrize(
    ("key", "value"), [("stem", "small"), ("depth", 2.0), ("depth", 0.5), ("width", 0.5)]
)
def test_layers_that_keep_their_shape_keep_their_weights(
    tmp_path: Path, key: str, value: object
) -> None:
    theirs = library("resnet18", "resnet")
    path = saved(theirs.state_dict(), tmp_path)
    options = (
        {"stem": value} if key == "stem" else {"design": ORIGINAL.model_copy(update={key: value})}
    )
    net, what = loaded("resnet", "resnet18", path, **options)
    assert what.num_kept + len(what.new) == what.num_tensors == len(net.state_dict())
    if key == "stem":
        assert set(what.new) == {"conv1.weight", "fc.weight", "fc.bias"}
        assert torch.equal(net.stage1[0].conv1.weight, theirs.layer1[0].conv1.weight)
    if key == "depth":
        assert torch.equal(net.stage4[0].conv2.weight, theirs.layer4[0].conv2.weight)
        assert any(name.startswith("layer1.2.") for name in what.new) == (value == 2.0)
    if key == "width":
        assert "conv1.weight" in what.new


@pytest.mark.slow
def test_a_deeper_vgg_keeps_its_layers_in_their_stages(tmp_path: Path) -> None:
    theirs = library("vgg11", "vgg")
    path = saved(theirs.state_dict(), tmp_path)
    net, _ = loaded("vgg", "vgg11", path, design=ORIGINAL.model_copy(update={"depth": 2.0}))
    assert torch.equal(net.stage5[0].weight, theirs.features[16].weight)
    assert torch.equal(net.tail[0].weight, theirs.classifier[0].weight)


def test_old_files_of_densenet(tmp_path: Path) -> None:
    theirs = library("densenet121", "densenet")
    old = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
        for key, value in theirs.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    net, _ = loaded("densenet", "densenet121", saved(old, tmp_path))
    own = theirs.features.denseblock1.denselayer1
    assert torch.equal(net.stage1[0].denselayer1.conv2.weight, own.conv2.weight)


def test_a_checkpoint_of_thawline_is_a_file_of_weights(tmp_path: Path) -> None:
    net = network.build("resnet", "resnet18", num_classes=3, dropout=0.0, seed=5)
    path = saved(net.state_dict(), tmp_path)
    again, _ = loaded("resnet", "resnet18", path, num_classes=7)
    assert torch.equal(again.stem[0].weight, net.stem[0].weight)


def test_a_file_of_a_longer_relative_is_refused(tmp_path: Path) -> None:
    """ResNet-34 has every tensor of ResNet-18, in its shape."""
    path = saved(library("resnet34", "resnet").state_dict(), tmp_path)
    with pytest.raises(UserError, match=r"another network: of 122 tensors 96 unexpected \(layer1"):
        loaded("resnet", "resnet18", path)


def test_missing_tensors_are_listed(tmp_path: Path) -> None:
    state = library("resnet18", "resnet").state_dict()
    del state["conv1.weight"], state["bn1.bias"]
    path = saved(state, tmp_path)
    with pytest.raises(UserError, match=r"2 missing \(bn1\.bias, conv1\.weight\)"):
        loaded("resnet", "resnet18", path)


@pytest.mark.parametrize("family", plugins.names(plugins.FAMILY))
def test_a_download_that_fails_names_three_ways_out(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thawline.models import weights

    module = plugins.load(plugins.FAMILY, family)

    def refused(name: str) -> weights.WeightsFile:
        raise OSError("no route\nto host")

    monkeypatch.setattr(module, "download", refused)
    monkeypatch.setattr(module, "imagenet_weights", lambda name: None)
    with pytest.raises(UserError) as caught:
        weights.imagenet(module, family, FIRSTS[family])
    text = str(caught.value)
    assert text.isprintable()
    ways = ("no route to host", module.origin(FIRSTS[family]), "weights_file", "weights: none")
    assert [part for part in ways if part not in text] == []


def test_torchvision_s_cache_is_used_and_its_digits_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    from thawline.models.architectures import resnet

    assert resnet.imagenet_weights("resnet18") is None
    path = tmp_path / "checkpoints" / "resnet18-f37072fd.pth"
    path.parent.mkdir()
    torch.save(library("resnet18", "resnet").state_dict(), path)
    with pytest.raises(UserError, match=r"resnet18-f37072fd\.pth has SHA-256 .*expected f37072fd"):
        network.build_pretrained("resnet", "resnet18", num_classes=3, dropout=0.0, seed=0)
