"""What holds on a GPU; each of these trains there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.unit.training.conftest import small_network
from tests.unit.training.resume.kills import Killed, dying
from thawline.errors import UserError
from thawline.models import device
from thawline.models.checkpoint import ModelConfig
from thawline.training import batch_size, fingerprint, resume
from thawline.training.context import Machine, TrainingData
from thawline.training.history import History
from thawline.training.recipe import Recipe
from thawline.training.resume import Resume
from thawline.training.train import train
from thawline.training.train_step import Steps

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("default")]
CPU = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)
GPU = replace(CPU, device=torch.device("cuda"))
ALL = {"trainable": "all", "optimizer": "adamw", "learning_rate": 0.01, "epochs": 3}
State = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def there() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    device.setup(threads=1, seed=0)


@pytest.fixture
def trained(
    card: ModelConfig, data: TrainingData, recipe: Callable[..., Recipe]
) -> Callable[..., tuple[History, State]]:
    def run(
        machine: Machine, kept: Resume | None = None, **changes: object
    ) -> tuple[History, State]:
        network = small_network()
        torch.manual_seed(5)  # of dropout
        chosen = recipe(**ALL | changes)
        history = train(network, card, data, chosen, machine, lambda *_: None, kept)
        return history, network.state_dict()

    return run


def equal(one: State, other: State) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("trainable", ["head", "last_blocks", "all"])
def test_training_twice_gives_the_same_bits(
    trained: Callable[..., tuple[History, State]], precision: str, trainable: str
) -> None:
    machine = replace(GPU, precision=precision)
    changes = {"trainable": trainable, "num_blocks": 2}
    first, again = trained(machine, **changes), trained(replace(machine, workers=2), **changes)
    assert equal(first[1], again[1])
    assert first[0].epochs == again[0].epochs
    assert all(value.device.type == "cpu" for value in first[1].values())


def test_it_learns_what_a_cpu_learns(trained: Callable[..., tuple[History, State]]) -> None:
    changes = {"optimizer": "sgd", "learning_rate": 0.02, "epochs": 2}
    for one, other in zip(
        trained(CPU, **changes)[0].epochs, trained(GPU, **changes)[0].epochs, strict=True
    ):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=0.05)


def test_features_stay_on_the_gpu_and_change_nothing(
    trained: Callable[..., tuple[History, State]], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = trained(GPU, trainable="head")
    moved: list[int] = []

    def elsewhere(views: list[torch.Tensor], _: torch.device) -> list[torch.Tensor]:
        moved.append(len(views))
        return views

    monkeypatch.setattr("thawline.training.cut_inputs.resident", elsewhere)
    here = trained(GPU, trainable="head")
    assert moved == [2]
    assert equal(there[1], here[1])


@pytest.mark.parametrize("augmented", [True, False])
def test_images_stay_on_the_gpu_and_change_nothing(
    card: ModelConfig,
    data: TrainingData,
    recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
    augmented: bool,
) -> None:
    shown = data if augmented else replace(data, policy=[])
    states = []
    for room in (None, lambda *_: False):
        if room is not None:
            monkeypatch.setattr("thawline.training.cut_inputs.has_room", room)
        network = small_network()
        torch.manual_seed(5)
        train(network, card, shown, recipe(**ALL), GPU, lambda *_: None)
        states.append(network.state_dict())
    assert equal(*states)


@pytest.mark.parametrize("steps", [2, 6])
def test_a_killed_training_goes_on_in_the_same_bits(
    trained: Callable[..., tuple[History, State]],
    card: ModelConfig,
    data: TrainingData,
    recipe: Callable[..., Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    monkeypatch.setattr(resume, "SHORTEST_S", 0.0)

    def kept() -> Resume:
        known_by = fingerprint.describe_training(small_network(), card, data, recipe(**ALL), GPU)
        return Resume("fine_tune", known_by, minutes=1e-6, folder=tmp_path)

    undisturbed = trained(GPU)
    with monkeypatch.context() as patched:
        patched.setattr(Steps, "step", dying(steps))
        with pytest.raises(Killed):
            trained(GPU, kept())
    assert list(tmp_path.iterdir())
    seen: list[int] = []
    original = Steps.step

    def counted(self: Steps, *batch: object) -> torch.Tensor:
        seen.append(1)
        return original(self, *batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Steps, "step", counted)
    resumed = trained(GPU, kept())
    assert equal(undisturbed[1], resumed[1])
    assert len(seen) == 12 - steps, "it went on from the last step"


def test_mixed_batches_are_the_same_twice(
    trained: Callable[..., tuple[History, State]],
) -> None:
    changes = {"mixup_alpha": 0.2, "cutmix_alpha": 1.0, "random_erasing": 0.5}
    assert equal(trained(GPU, **changes)[1], trained(GPU, **changes)[1])


def test_automatic_precision_is_bfloat16(
    trained: Callable[..., tuple[History, State]], capsys: pytest.CaptureFixture[str]
) -> None:
    trained(replace(GPU, precision="auto"))
    assert "bfloat16 to train dense convolutions (cuda)" in capsys.readouterr().err


def test_a_compiled_network_learns_the_same(
    trained: Callable[..., tuple[History, State]],
) -> None:
    changes = {"optimizer": "sgd", "learning_rate": 0.02, "epochs": 2}
    plain, compiled = trained(GPU, **changes), trained(replace(GPU, compiled=True), **changes)
    for one, other in zip(plain[0].epochs, compiled[0].epochs, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=0.1)


def test_the_largest_batch_that_fits_is_found() -> None:
    free, _ = torch.cuda.mem_get_info()
    taken: list[int] = []

    def attempt(size: int) -> None:
        taken.append(size)
        torch.empty(size, free // 100, dtype=torch.uint8, device="cuda")

    assert batch_size.largest(attempt) == 64
    assert taken == [256, 128, 64]


def test_too_large_a_batch_is_one_message_that_names_it(
    trained: Callable[..., tuple[History, State]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> torch.Tensor:
        _, total = torch.cuda.mem_get_info()
        return torch.empty(4 * total, dtype=torch.uint8, device="cuda")

    monkeypatch.setattr(Steps, "step", full)
    with pytest.raises(UserError, match=r"training.batch_size: 16 images .* memory of cuda; try 8"):
        trained(GPU)
