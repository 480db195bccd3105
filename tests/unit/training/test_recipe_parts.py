"""Schedules by epoch, accumulation, clipping, Adam then SGD, a teacher: each as it is published."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from thawline.errors import UserError
from thawline.features.fingerprints import hash_tensors
from thawline.models import checkpoint
from thawline.models.checkpoint import ModelConfig
from thawline.models.device import to_input
from thawline.models.network import Network
from thawline.training import distillation
from thawline.training.context import Machine, TrainingData
from thawline.training.distillation import Teacher
from thawline.training.freezing import freeze
from thawline.training.lr_schedule import Schedule
from thawline.training.recipe import Recipe
from thawline.training.state_file import dumps, loads
from thawline.training.swats import MOMENTUM, Switch
from thawline.training.train import train
from thawline.training.train_step import Steps

Change = Callable[..., Recipe]
CPU = torch.device("cpu")
Batch = tuple[torch.Tensor, torch.Tensor]


def linear() -> Network:
    torch.manual_seed(0)
    return nn.Sequential(OrderedDict(body=nn.Linear(4, 8), head=nn.Linear(8, 3)))


def steps(network: Network, recipe: Recipe, num_examples: int = 64, **more: object) -> Steps:
    how = {"loss": functional.cross_entropy, "device": CPU, "precision": "float32"} | more
    frozen = freeze(network, "all")
    built = Steps(network, frozen, recipe, num_examples, lambda batch: batch, **how)  # type: ignore[arg-type]
    built.begin(0)
    return built


def batch(count: int, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 4, generator=generator), torch.arange(count) % 3


def course(recipe: Recipe, scores: list[float], steps_per_epoch: int = 5) -> list[list[float]]:
    """Learning rates of each step, by epoch."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    schedule = Schedule(optimizer, recipe, steps_per_epoch=steps_per_epoch)
    found: list[list[float]] = []
    for score in scores:
        found.append([])
        for _ in range(steps_per_epoch):
            found[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        schedule.after_epoch(score)
    return found


def test_step_falls_every_few_epochs(recipe: Change) -> None:
    found = course(recipe(schedule="step", epochs=6), [0.0] * 6)
    expected = [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]
    assert [epoch[0] for epoch in found] == pytest.approx(expected)
    assert [epoch[-1] for epoch in found] == pytest.approx(expected)


def test_plateau_falls_when_nothing_gets_better(recipe: Change) -> None:
    found = course(recipe(schedule="plateau", epochs=7), [0.1, 0.2, 0.2, 0.1, 0.3, 0.3, 0.3])
    assert [epoch[0] for epoch in found] == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1])


def test_plateau_waits_for_the_warm_up(recipe: Change) -> None:
    found = course(recipe(schedule="plateau", epochs=5, warmup_ratio=0.4), [0.5] * 5)
    rising = [rate for epoch in found[:2] for rate in epoch]
    assert rising == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert found[2] == found[3] == [1.0] * 5
    assert found[4] == pytest.approx([0.1] * 5)


def test_one_cycle_rises_and_falls_below_where_it_began(recipe: Change) -> None:
    found = course(recipe(schedule="one_cycle", epochs=4, warmup_ratio=0.3), [0.0] * 4)
    rates = [rate for epoch in found for rate in epoch]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(1.0)
    assert top == 5
    assert rates[:top] == sorted(rates[:top])
    assert rates[-1] < rates[0] / 100


def test_accumulated_batches_are_one_large_one(recipe: Change) -> None:
    inputs, labels = batch(24)
    together, parts = linear(), linear()
    losses = [
        steps(together, recipe()).step([(inputs, labels)]),
        steps(parts, recipe(accumulate=3)).step(
            [(inputs[a:b], labels[a:b]) for a, b in ((0, 10), (10, 20), (20, 24))]
        ),
    ]
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-5)
    for name, value in together.state_dict().items():
        assert torch.allclose(value, parts.state_dict()[name], atol=1e-6)


def test_accumulation_trains_with_a_step_for_each_group(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Change,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[list[int]] = []
    original = Steps.step

    def watched(self: Steps, batches: list[Batch]) -> torch.Tensor:
        sizes.append([len(labels) for _, labels in batches])
        return original(self, batches)

    monkeypatch.setattr(Steps, "step", watched)
    machine = Machine(device=CPU, precision="float32", workers=0, seed=0)
    train(small, card, data, recipe(accumulate=3, epochs=1), machine, lambda *_: None)
    assert sizes == [[16, 16, 16], [14]]


def test_long_gradients_are_cut(recipe: Change) -> None:
    plain = {"momentum": 0.0, "weight_decay": 0.0, "learning_rate": 1.0}
    moved = []
    for clip_norm in (0.0, 0.001):
        network = linear()
        start = torch.cat([p.detach().flatten().clone() for p in network.parameters()])
        steps(network, recipe(clip_norm=clip_norm, **plain)).step([batch(16)])
        now = torch.cat([p.detach().flatten() for p in network.parameters()])
        moved.append(float((now - start).norm()))
    assert moved[1] == pytest.approx(0.001, rel=1e-3)
    assert moved[0] > 0.01


def optimizer_of(one: Steps) -> torch.optim.Optimizer:
    return one._optimizer


def test_adam_gives_way_after_a_fixed_epoch(recipe: Change) -> None:
    chosen = recipe(optimizer="adam_then_sgd", epochs=4, layer_decay=0.5, schedule="cosine")
    one = steps(linear(), chosen, num_examples=16)
    kinds, rates = [], []
    for epoch in range(4):
        one.step([batch(16)])
        one.after_epoch(epoch, 0.5)
        kinds.append(type(optimizer_of(one)))
        rates.append([group["lr"] for group in optimizer_of(one).param_groups])
    assert kinds == [torch.optim.Adam, torch.optim.SGD, torch.optim.SGD, torch.optim.SGD]
    assert rates[1] == pytest.approx([0.005, 0.0025]), "half of the cosine, and the decay by block"
    assert rates[3] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_adam_gives_way_at_a_plateau(recipe: Change) -> None:
    switch = Switch(recipe(switch="plateau"))
    scores = (0.1, 0.3, 0.2, 0.4, 0.4, 0.3)
    found = [switch.after_epoch(i, score) for i, score in enumerate(scores)]
    assert found == [None] * 5 + [0.01]


def test_swats_finds_the_rate_whose_step_projects_onto_adam_s(recipe: Change) -> None:
    """Moves that are those of SGD at some rate: the projection is that rate at every step."""
    switch = Switch(recipe(switch="swats"))
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(3):
        gradients = [torch.randn(5, generator=generator, dtype=torch.float64) for _ in range(2)]
        found.append(switch.after_step([-0.25 * g for g in gradients], gradients))
    assert found[0] is None, "the first step agrees with itself"
    assert found[1] == pytest.approx((1 - MOMENTUM) * 0.25)


def test_swats_waits_while_the_rate_changes(recipe: Change) -> None:
    switch = Switch(recipe(switch="swats"))
    gradient = [torch.ones(3)]
    rates = (0.1, 0.2, 0.3)
    assert [switch.after_step([-rate * gradient[0]], gradient) for rate in rates] == [None] * 3
    assert switch.after_step([torch.zeros(3)], gradient) is None
    assert switch.after_step([gradient[0]], gradient) is None, "uphill"


@pytest.mark.parametrize("switch", ["fixed", "swats"])
def test_a_state_after_the_switch_is_taken_up(
    recipe: Change, switch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thawline.training.swats._TOLERANCE", 1e9)
    chosen = recipe(optimizer="adam_then_sgd", switch=switch, switch_epochs=1, epochs=9)
    networks = linear(), linear()
    one, other = (steps(network, chosen, num_examples=16) for network in networks)
    for epoch in range(2):
        one.step([batch(16, epoch)])
        one.step([batch(16, epoch)])
        one.after_epoch(epoch, 0.5)
    assert isinstance(optimizer_of(one), torch.optim.SGD)
    other.load(loads(dumps(one.state())))
    for each in (one, other):
        each.step([batch(16, 7)])
    states = [network.state_dict() for network in networks]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


class Fixed(nn.Module):
    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits[: len(images)]


def test_the_loss_of_distillation(card: ModelConfig) -> None:
    """Against the definition: T squared times the divergence of softened probabilities."""
    taught, logits = torch.randn(5, 3), torch.randn(5, 3)
    labels = torch.tensor([0, 1, 2, 0, 1])
    network = nn.Sequential(OrderedDict(head=Fixed(taught)))
    teacher = Teacher(network, card, temperature=3.0, weight=0.7, device=CPU)
    images = torch.zeros(5, 32, 32, 3, dtype=torch.uint8)
    found = teacher.loss(functional.cross_entropy, teacher.logits(images))(logits, labels)
    p, q = (taught / 3).softmax(1), (logits / 3).softmax(1)
    apart = (p * (p.log() - q.log())).sum(1).mean()
    expected = 0.3 * functional.cross_entropy(logits, labels) + 0.7 * 9 * apart
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("precision", "rounding"), [("float32", 1e-4), ("bfloat16", 0.05)])
def test_a_teacher_says_what_its_network_says(
    lite0: Network, card: ModelConfig, precision: str, rounding: float
) -> None:
    images = torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8)
    lite0.eval()
    with torch.inference_mode():
        expected = lite0(to_input(images, mean=card.mean, std=card.std))
    how = {"temperature": 1.0, "weight": 1.0, "device": CPU}
    teacher = Teacher(lite0, card, **how, wanted_precision=precision)  # type: ignore[arg-type]
    apart = (teacher.logits(images) - expected).abs().max() / expected.abs().max()
    assert apart <= rounding
    assert teacher.known_by() == hash_tensors(lite0.state_dict())


def test_a_student_comes_nearer_to_its_teacher(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change
) -> None:
    torch.manual_seed(1)
    always = Fixed(torch.tensor([[4.0, 0.0, 0.0]]).repeat(64, 1))
    wrong = nn.Sequential(OrderedDict(head=always))
    machine = Machine(device=CPU, precision="float32", workers=0, seed=0)
    chosen = recipe(trainable="all", epochs=3)
    teacher = Teacher(wrong, card, temperature=1.0, weight=1.0, device=CPU)
    train(small, card, data, chosen, machine, lambda *_: None, teacher=teacher)
    images = torch.from_numpy(data.store.take(data.manifest.rows("train")))
    student = Teacher(small, card, temperature=1.0, weight=0.0, device=CPU)
    shares = student.logits(images).argmax(1).bincount(minlength=3) / len(images)
    assert shares[0] > 0.9, "labels count for nothing, the teacher's one answer for all"
    with pytest.raises(UserError, match="teacher looks at pixels"):
        train(small, card, data, recipe(), machine, lambda *_: None, teacher=teacher)


def test_a_teacher_of_other_classes_is_refused(
    lite0: Network, card: ModelConfig, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path, lite0, card)
    how = {
        "key": "fine_tune.distill.checkpoint", "temperature": 2.0, "weight": 0.5, "device": CPU,
        "wanted_precision": "float32",
    }  # fmt: skip
    distillation.load(tmp_path, card, **how)  # type: ignore[arg-type]
    other = card.model_copy(update={"classes": ("a", "b", "c")})
    with pytest.raises(UserError, match=r"fine_tune\.distill\.checkpoint: .* has other classes"):
        distillation.load(tmp_path, other, **how)  # type: ignore[arg-type]
