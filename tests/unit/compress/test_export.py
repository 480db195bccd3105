import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from thawline.compress.export import export, verify
from thawline.cost.ort_session import predict, session
from thawline.errors import UserError
from thawline.models.device import to_input

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE = 32


def network(seed: int = 0) -> nn.Sequential:
    """Small, with what makes exports go wrong: batch norm, dropout, in-place, reshapes."""
    torch.manual_seed(seed)
    shuffle = nn.Sequential(nn.Unflatten(1, (2, 4)), nn.Flatten(1, 2))
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU6(inplace=True), shuffle,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 10),
    )  # fmt: skip
    net[1].running_mean.uniform_(-1, 1)
    with torch.no_grad():
        net[-1].weight.mul_(20)
    return net


def digits() -> np.ndarray:
    small = (load_digits().images[:70] * 15.9).astype(np.uint8)
    return small.repeat(4, 1).repeat(4, 2)[..., None].repeat(3, -1)


def expected(net: nn.Sequential, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return torch.softmax(net.eval()(to_input(images, mean=MEAN, std=STD)), dim=1).numpy()


def write(file: Path, net: nn.Sequential, opset: int = 18) -> Path:
    export(net, file, image_size_px=SIZE, mean=MEAN, std=STD, opset=opset)
    return file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("exported") / "model.onnx", network())


def test_the_file_says_what_the_network_says(file: Path) -> None:
    agreement = verify(
        file, digits(), expected(network(), digits()), max_difference=1e-4, threads=1
    )
    assert agreement.num_images == 70
    assert agreement.max_difference < 1e-4


def test_its_contract_is_pixels_in_probabilities_out(file: Path) -> None:
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    (given,), (made,) = model.graph.input, model.graph.output
    shape = [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
    assert (given.name, given.type.tensor_type.elem_type, shape) == (
        "images", onnx.TensorProto.UINT8, ["N", SIZE, SIZE, 3],
    )  # fmt: skip
    assert (made.name, made.type.tensor_type.elem_type) == ("probabilities", onnx.TensorProto.FLOAT)
    assert made.type.tensor_type.shape.dim[0].dim_param == "N"
    assert model.opset_import[0].version == 18


@pytest.mark.parametrize("num_images", [0, 1, 2, 64, 70])
def test_any_batch_size(file: Path, num_images: int) -> None:
    found = predict(session(file, 1), digits()[:num_images], batch_size=64)
    assert found.shape == (num_images, 10)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.ci
def test_equal_networks_give_equal_bytes_in_two_processes(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.onnx"
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path; import test_export as t\n"
        f"t.write(Path({str(other)!r}), t.network())"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    hashes = {hashlib.sha256(f.read_bytes()).hexdigest() for f in (file, other)}
    assert len(hashes) == 1


def test_the_bytes_name_no_place_and_no_version(file: Path) -> None:
    content = file.read_bytes()
    for part in (b".py", b"pytorch", b"stack_trace", torch.__version__.encode()):
        assert part not in content


@pytest.mark.slow
def test_the_network_stays_as_it_was(tmp_path: Path) -> None:
    net = network().train()
    write(tmp_path / "model.onnx", net)
    assert net.training
    assert net[2].inplace
    assert net[-1].weight.requires_grad


def test_another_network_or_normalisation_is_noticed(file: Path) -> None:
    with pytest.raises(UserError, match=r"compress\.max_difference: 0\.0001 is exceeded"):
        verify(file, digits(), expected(network(1), digits()), max_difference=1e-4, threads=1)
    shifted = digits() // 2
    with pytest.raises(UserError, match=r"max_difference"):
        verify(file, shifted, expected(network(), digits()), max_difference=1e-4, threads=1)


def test_nan_is_a_difference(file: Path) -> None:
    with pytest.raises(UserError, match=r"max_difference"):
        verify(file, digits(), np.full((70, 10), np.nan, np.float32), max_difference=0.1, threads=1)


def test_another_first_class_is_noticed_within_the_tolerance(file: Path) -> None:
    wanted = expected(network(), digits())
    first, last = wanted.argmax(axis=1)[0], wanted.argmin(axis=1)[0]
    wanted[0, [first, last]] = wanted[0, [last, first]]
    with pytest.raises(UserError, match="predicts another class than PyTorch for 1 of 70"):
        verify(file, digits(), wanted, max_difference=1.0, threads=1)


def test_a_network_of_signs_may_be_turned_on_few_images(file: Path) -> None:
    wanted = expected(network(), digits())
    limits = {"max_difference": 1e-4, "tolerated": 0.05, "threads": 1}
    wanted[:3] = np.roll(wanted[:3], 1, axis=1)
    assert verify(file, digits(), wanted, **limits).num_differing == 3
    wanted[3] = np.roll(wanted[3], 1)
    with pytest.raises(UserError, match="on 4 of 70 images"):
        verify(file, digits(), wanted, **limits)


def test_an_operator_set_that_pytorch_cannot_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"compress\.opset: 17 is not allowed; must be at least 18"):
        write(tmp_path / "model.onnx", network(), opset=17)
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.slow
def test_a_later_operator_set_is_written_as_asked(tmp_path: Path) -> None:
    later = onnx.load(write(tmp_path / "model.onnx", network(), opset=20))
    assert later.opset_import[0].version == 20


class Decides(nn.Module):
    """Control flow that depends on the data has no place in a graph."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) if images.sum() > 0 else -images.flatten(1)


def test_a_network_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written as ONNX") as refused:
        write(tmp_path / "model.onnx", nn.Sequential(Decides()))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"", b"no network", b"\x08\x08"])
def test_a_file_that_is_no_network_is_refused(content: bytes | None, tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.onnx"):
        session(bad, 1)
