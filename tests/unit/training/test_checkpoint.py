"""A checkpoint comes back to the bit; one that is damaged or of something else is refused."""

import json
import pickle
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from thawline.errors import UserError
from thawline.models import checkpoint
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network, build


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, card: ModelConfig) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    net = build(card.family, card.name, num_classes=3, dropout=0.0, seed=0)
    checkpoint.save(folder, net, card)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """A checkpoint that a test may damage."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in (checkpoint.WEIGHTS, checkpoint.CARD):
        shutil.copy(saved / name, folder / name)
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        checkpoint.load(folder)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 600
    return text


def test_every_bit_comes_back(saved: Path, card: ModelConfig, lite0: Network) -> None:
    net, read = checkpoint.load(saved)
    assert read == card
    assert not net.training
    state, again = lite0.state_dict(), net.state_dict()
    assert all(torch.equal(state[key], again[key]) for key in state)


@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        ({"stem.0": [3, 10**12]}, "channels.stem.0.1: Input should be less than"),
        ({"stem.0": [3, 33]}, "'stem.0' has (3, 32) channels in and out, not (3, 33)"),
        ({"stem.0": [3, 0]}, "greater than or equal to 1"),
        ({"stem.0": [3]}, "channels.stem.0"),
        ({"no.such": [1, 1]}, "'no.such' is no layer with channels"),
        ({"\u202e" * 5000: [1, 1]}, "is no layer with channels"),
        ({"stem.0": [3, 16]}, "not the weights of tf_efficientnet_lite0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_channels_that_cannot_be_are_refused(
    copy: Path, channels: dict[str, list[int]], reason: str
) -> None:
    file = copy / checkpoint.CARD
    file.write_text(json.dumps({**json.loads(file.read_text()), "channels": channels}))
    assert reason in refused(copy)


def test_equal_networks_are_equal_bytes(saved: Path, tmp_path: Path) -> None:
    net, read = checkpoint.load(saved)
    checkpoint.save(tmp_path, net.to(memory_format=torch.channels_last), read)  # type: ignore[call-overload]
    for name in (checkpoint.WEIGHTS, checkpoint.CARD):
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes()


def test_the_card_names_no_machine_and_no_time(saved: Path) -> None:
    text = (saved / checkpoint.CARD).read_text()
    assert str(saved) not in text
    assert set(json.loads(text)) == set(ModelConfig.model_fields) - {
        "channels", "levels", "refit", "bit_depth",
    }  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.1, 0.5, 0.99, 0.9999999])
def test_truncated_weights(copy: Path, share: float) -> None:
    data = (copy / checkpoint.WEIGHTS).read_bytes()
    (copy / checkpoint.WEIGHTS).write_bytes(data[: int(len(data) * share)])
    assert "not the weights of tf_efficientnet_lite0" in refused(copy)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was run')",))


@pytest.mark.parametrize("content", [b"", b"{}", b"\0" * 100, pickle.dumps(Trap()), b"\xff" * 1000])
def test_weights_that_are_something_else(copy: Path, content: bytes) -> None:
    (copy / checkpoint.WEIGHTS).write_bytes(content)
    refused(copy)


def test_a_pickled_checkpoint_of_torch(copy: Path) -> None:
    torch.save({"a": torch.zeros(3)}, copy / checkpoint.WEIGHTS)
    refused(copy)


@pytest.mark.parametrize("shape", [[10**12], [10**6, 10**6], [2**62, 2], [-1]])
def test_a_huge_shape_in_the_header(copy: Path, shape: list[int]) -> None:
    header = {"stem.0.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    (copy / checkpoint.WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    refused(copy)


def test_a_huge_header(copy: Path) -> None:
    (copy / checkpoint.WEIGHTS).write_bytes(struct.pack("<Q", 2**63) + b"{}")
    refused(copy)


def test_tensors_too_many_or_too_few(copy: Path) -> None:
    state = load_file(copy / checkpoint.WEIGHTS)
    save_file({**state, "extra.weight": torch.zeros(2)}, copy / checkpoint.WEIGHTS)
    assert "extra.weight" in refused(copy)
    state.pop("stem.0.weight")
    save_file(state, copy / checkpoint.WEIGHTS)
    assert "stem.0.weight" in refused(copy)


def test_weights_of_another_architecture(copy: Path) -> None:
    save_file(nn.Linear(3, 4).state_dict(), copy / checkpoint.WEIGHTS)
    assert "not the weights of tf_efficientnet_lite0" in refused(copy)
    change(copy, name="tf_efficientnet_lite1")
    refused(copy)


def test_weights_of_other_classes(copy: Path) -> None:
    change(copy, classes=["a", "b"])
    assert "head" in refused(copy)


def test_missing_files(copy: Path, tmp_path: Path) -> None:
    (copy / checkpoint.WEIGHTS).unlink()
    refused(copy)
    (copy / checkpoint.WEIGHTS).mkdir()
    refused(copy)
    assert "No such file" in refused(tmp_path / "nowhere\n")


def change(folder: Path, **values: object) -> None:
    path = folder / checkpoint.CARD
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}), encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("family", "no_such_family"),
        ("family", "../../x"),
        ("family", None),
        ("name", "resnet18"),
        ("name", "a\nb"),
        ("dropout", 1.0),
        ("classes", []),
        ("classes", ["one"]),
        ("classes", "ab"),
        ("classes", [1, 2, 3]),
        ("classes", ["a", "a", "b"]),
        ("image_size_px", 0),
        ("image_size_px", 10**12),
        ("image_size_px", "64"),
        ("fit", "squash"),
        ("background", [0, 0]),
        ("background", [0, 0, 256]),
        ("mean", [0.5, 0.5]),
        ("std", [0.5, 0.5, 0.0]),
        ("std", [0.5, 0.5, None]),
        ("extra", 1),
    ],
)
def test_a_card_that_is_none(copy: Path, key: str, value: object) -> None:
    change(copy, **{key: value})
    text = refused(copy)
    assert checkpoint.CARD in text
    assert key in text


@pytest.mark.parametrize(
    "content", ["", "[]", "{", "null", "[" * 100_000, '{"mean": [NaN, 0, 0]}', "\0"]
)
def test_a_card_that_is_no_json(copy: Path, content: str) -> None:
    (copy / checkpoint.CARD).write_text(content, encoding="utf-8")
    assert checkpoint.CARD in refused(copy)


def test_a_card_of_a_million_classes_costs_nothing(copy: Path) -> None:
    """Its head alone would be of 5 GB."""
    path = copy / checkpoint.CARD
    card = json.loads(path.read_text(encoding="utf-8"))
    card["classes"] = [f"c{number}" for number in range(1_000_000)]
    path.write_text(json.dumps(card), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from thawline.models import checkpoint\n"
        "from thawline.errors import UserError\n"
        "try: checkpoint.load(Path(sys.argv[1]))\n"
        "except UserError as error: print(error)\n"
        "lines = Path('/proc/self/status').read_text().splitlines()\n"
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(copy)], capture_output=True, text=True, check=True
    )
    said, peak_kb = done.stdout.splitlines()
    assert "1,000,000 classes need" in said
    assert int(peak_kb) < 1_500_000
