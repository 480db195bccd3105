"""Sets of torchvision: how they are made, and what is said when they are not there."""

import inspect
import socket
import typing
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from tests.contract import inputs
from thawline.errors import UserError
from thawline.ingest.items import Item
from thawline.ingest.sources import torchvision


def test_the_option_is_the_list() -> None:
    hint = typing.get_type_hints(torchvision.read)["name"]
    assert set(typing.get_args(hint)) == set(torchvision.SETS)


@pytest.mark.parametrize("name", torchvision.SETS)
def test_the_arguments_are_those_of_torchvision(name: str) -> None:
    known = inspect.signature(getattr(datasets, name).__init__).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in known.values())
    parts = torchvision.SETS[name]
    for arguments in parts.arguments.values():
        assert open_ended or set(arguments) <= set(known)
    assert parts.by_hand != (open_ended or "download" in known)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_the_own_splits_and_classes_stand(tmp_path: Path, name: str) -> None:
    source = torchvision.read(inputs.torchvision(tmp_path, {"name": name}), name=name)  # type: ignore[arg-type]
    items = [item for item in source.items if isinstance(item, Item)]
    assert len(source.classes) == 10
    assert source.num_items == len(items)
    assert {item.split for item in items} == {"train", "test"}
    assert np.asarray(items[0].payload).shape == (9, 9)


@pytest.mark.parametrize("name", torchvision.SETS)
def test_a_missing_set_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"does not hold {name} ") as caught:
        torchvision.read(tmp_path, name=name)  # type: ignore[arg-type]
    assert str(caught.value).isprintable()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "sets").mkdir(parents=True)
    return tmp_path / "data" / "sets"


def test_a_download_without_a_network_says_so(no_network: Path) -> None:
    with pytest.raises(UserError, match=r"ingest\.options\.download: CIFAR10 cannot be downloaded"):
        torchvision.read(no_network, name="CIFAR10", download=True)


def test_downloads_stay_below_data(no_network: Path) -> None:
    with pytest.raises(UserError, match="is not below data/"):
        torchvision.read(no_network.parent.parent, name="CIFAR10", download=True)


def test_a_set_to_fetch_by_hand_is_not_downloaded(no_network: Path) -> None:
    with pytest.raises(UserError, match="must be fetched by hand"):
        torchvision.read(no_network, name="FER2013", download=True)


def test_a_class_without_an_image_is_told_and_no_class(tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    inputs.idx(raw, {}, num_classes=3)
    source = torchvision.read(tmp_path, name="FashionMNIST")
    assert source.classes == ("T-shirt/top", "Trouser", "Pullover")
    assert source.empty_classes[0] == "Dress"
    assert len(source.empty_classes) == 7
    assert {item.label for item in source.items if isinstance(item, Item)} == {0, 1, 2}


class _Part:
    """Labels where one of torchvision's sets has them."""

    def __init__(self, **held: object) -> None:
        vars(self).update(held)


@pytest.mark.parametrize(
    "part",
    [
        _Part(targets=np.array([[4, 9, 9], [1, 9, 9]])),
        _Part(_labels=[1, 4, 4]),
        _Part(y=[4, 1]),
        _Part(_samples=[("a", 1), ("b", None), ("c", 4)]),
    ],
)
def test_labels_are_found_wherever_a_set_has_them(part: _Part) -> None:
    assert torchvision._used("a set", [part], 5) == (1, 4)
    assert torchvision._used("a set", [part, _Part()], 5) == (0, 1, 2, 3, 4)
    with pytest.raises(UserError, match=r"a set has the labels \[1, 4\]; at least 2 of 0 to 2"):
        torchvision._used("a set", [part], 3)


@pytest.mark.parametrize("name", torchvision.SETS)
def test_torchvision_still_has_labels_there(name: str) -> None:
    code = "".join(
        inspect.getsource(kind)
        for kind in getattr(datasets, name).__mro__
        if kind.__module__.startswith("torchvision")
    )
    held = [a for a in (*torchvision._LABELS, "_samples") if f"self.{a} " in code]
    assert held or name == "PCAM"
