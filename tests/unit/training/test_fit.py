"""The loop: loss falls, the best epoch is kept, it stops when it should, and says why."""

from collections import OrderedDict
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn
from torch.nn import functional

from thawline.errors import UserError
from thawline.models.network import Network
from thawline.training import losses
from thawline.training.collapse import COLLAPSE, DAMAGE, CollapseError
from thawline.training.examples import HeldExamples
from thawline.training.freezing import freeze
from thawline.training.history import Epoch, History
from thawline.training.loop import Validation, fit
from thawline.training.recipe import Recipe

Change = Callable[..., Recipe]
CPU = torch.device("cpu")


def clusters(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Three classes around three points, well apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    return torch.randn(count, 4, generator=generator) + 3 * torch.eye(4)[labels], labels


@pytest.fixture
def head() -> Network:
    torch.manual_seed(0)
    return nn.Sequential(OrderedDict(head=nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 3))))


def examples(inputs: torch.Tensor, labels: torch.Tensor, recipe: Recipe) -> HeldExamples:
    return HeldExamples(views=[inputs], labels=labels, batch_size=recipe.batch_size, seed=0)


def run(
    network: Network,
    recipe: Recipe,
    *,
    inputs: torch.Tensor | None = None,
    val: tuple[torch.Tensor, torch.Tensor] | None = None,
    class_weights: torch.Tensor | None = None,
    may_keep_start: bool = False,
    start_competes: bool = True,
    num_good: int = 0,
    ends_below: tuple[float, float] | None = None,
) -> tuple[History, list[Epoch]]:
    train_inputs, labels = clusters(90)
    val_inputs, val_labels = clusters(30, seed=1) if val is None else val
    seen: list[Epoch] = []
    history = fit(
        network,
        freeze(network, "all"),
        examples(train_inputs if inputs is None else inputs, labels, recipe),
        lambda batch: batch,
        Validation(logits=lambda net: net(val_inputs), labels=val_labels),
        recipe,
        loss=losses.build(
            recipe,
            class_weights=torch.ones(3) if class_weights is None else class_weights,
            class_counts=torch.ones(3),
        ),
        device=CPU,
        precision="float32",
        on_epoch=lambda _, epoch: seen.append(epoch),
        may_keep_start=may_keep_start,
        start_competes=start_competes,
        ends_below=ends_below,
        num_good=num_good,
    )
    return history, seen


@pytest.mark.parametrize(
    ("optimizer", "learning_rate"),
    [("sgd", 0.1), ("adam", 0.02), ("adamw", 0.02), ("adagrad", 0.1), ("adadelta", 10.0)],
)
def test_the_loss_falls(
    head: Network, recipe: Change, optimizer: str, learning_rate: float
) -> None:
    chosen = recipe(epochs=5, optimizer=optimizer, learning_rate=learning_rate)
    history, seen = run(head, chosen)
    losses = [epoch["train_loss"] for epoch in history.epochs]
    assert losses[-1] < 0.5 * losses[0]
    assert history.epochs[-1]["val_accuracy"] > 0.9
    assert seen == history.epochs


def test_equal_seeds_give_equal_weights(recipe: Change) -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        network = nn.Sequential(OrderedDict(head=nn.Sequential(nn.Dropout(0.3), nn.Linear(4, 3))))
        run(network, recipe())
        states.append(network.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("ema_decay", [0.0, 0.8])
def test_the_weights_of_the_best_epoch_are_kept(
    head: Network, recipe: Change, ema_decay: float
) -> None:
    """With a rate that is far too high the last epoch is hardly ever the best."""
    val = clusters(30, seed=1)
    chosen = recipe(epochs=11, learning_rate=8.0, weight_decay=0.0, ema_decay=ema_decay)
    history, _ = run(head, chosen, val=val)
    scores = [(e["val_macro_f1"], -e["val_loss"]) for e in history.epochs]
    assert history.best_epoch == scores.index(max(scores))
    assert history.best_epoch < len(scores) - 1, "a case in which the last epoch is the best"
    with torch.inference_mode():
        probabilities = head(val[0]).double().softmax(dim=1)
    loss = (
        -probabilities[torch.arange(30), val[1]]
        .clamp_min(torch.finfo(torch.float32).eps)
        .log()
        .mean()
    )
    assert not head.training
    assert float(loss) == pytest.approx(history.epochs[history.best_epoch]["val_loss"], rel=1e-4)


def test_the_start_is_kept_when_no_epoch_is_better(head: Network, recipe: Change) -> None:
    run(head, recipe(epochs=20, learning_rate=0.1))
    before = {key: value.clone() for key, value in head.state_dict().items()}
    spoilt, _ = run(head, recipe(epochs=2, learning_rate=80.0), may_keep_start=True)
    assert spoilt.best_epoch == -1
    assert spoilt.kept() is spoilt.start
    assert all(torch.equal(before[key], value) for key, value in head.state_dict().items())


def trained(head: Network, recipe: Change) -> History:
    """Leave a head that knows the classes."""
    history, _ = run(head, recipe(epochs=20, learning_rate=0.1))
    return history


@pytest.mark.parametrize(("accumulate", "batches"), [(1, 2), (4, 4), (90, 10)])
def test_a_rate_that_undoes_the_start_ends_training_early(
    head: Network, recipe: Change, accumulate: int, batches: int
) -> None:
    """After a quarter of the first epoch of ten batches, as far as whole steps go."""
    trained(head, recipe)
    read: list[int] = []
    head[0].register_forward_hook(lambda block, *_: read.append(1) if block.training else None)
    chosen = recipe(
        epochs=9, batch_size=9, accumulate=accumulate, learning_rate=50.0, weight_decay=0.0,
        momentum=0.0,
    )  # fmt: skip
    wrong = clusters(90)[0].roll(1, dims=1)  # each class in the place of another one
    with pytest.raises(CollapseError, match=r"validation macro-F1 fell from [\d.]+ to [\d.]+"):
        run(head, chosen, inputs=wrong, may_keep_start=True, ends_below=(COLLAPSE, DAMAGE))
    assert len(read) == batches


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_a_collapse_too(
    head: Network, recipe: Change, bad: float
) -> None:
    """Where another rate would be tried, the first one is no mistake of a person's."""
    trained(head, recipe)
    inputs = clusters(90)[0]
    inputs[17, 2] = bad
    with pytest.raises(CollapseError, match=r"training made .* (nan|inf)"):
        run(head, recipe(), inputs=inputs, may_keep_start=True, ends_below=(COLLAPSE, DAMAGE))


def test_a_rate_that_spoils_nothing_is_no_collapse(head: Network, recipe: Change) -> None:
    trained(head, recipe)
    history, seen = run(
        head,
        recipe(epochs=3, learning_rate=0.01),
        may_keep_start=True,
        ends_below=(COLLAPSE, DAMAGE),
    )
    assert len(history.epochs) == len(seen) == 3


def test_a_start_that_does_not_compete_is_judged_and_replaced(
    head: Network, recipe: Change
) -> None:
    trained(head, recipe)
    history, _ = run(
        head, recipe(epochs=2, learning_rate=0.0), may_keep_start=True, start_competes=False
    )
    assert history.start is not None
    assert history.best_epoch >= 0


def test_a_better_epoch_takes_the_place_of_the_start(head: Network, recipe: Change) -> None:
    history, _ = run(head, recipe(epochs=5, learning_rate=0.1), may_keep_start=True)
    assert history.start is not None
    assert history.best_epoch >= 0
    assert history.kept()["val_macro_f1"] > history.start["val_macro_f1"]


def test_a_good_start_does_not_shorten_training(head: Network, recipe: Change) -> None:
    """A first epoch is often worse than the start; patience counts epochs."""
    run(head, recipe(epochs=20, learning_rate=0.1))
    history, _ = run(head, recipe(epochs=9, patience=3, learning_rate=0.0), may_keep_start=True)
    assert len(history.epochs) == 4


def test_it_stops_after_patience_epochs_without_a_better_score(
    head: Network, recipe: Change
) -> None:
    history, _ = run(head, recipe(epochs=50, patience=3))
    scores = [epoch["val_macro_f1"] for epoch in history.epochs]
    assert len(scores) == scores.index(max(scores)) + 1 + 3 < 50
    # The loss still falls among epochs of equal score, and the last of them is the best.
    assert history.best_epoch >= scores.index(max(scores))


def test_all_epochs_are_run_when_none_is_the_last_chance(head: Network, recipe: Change) -> None:
    history, _ = run(head, recipe(epochs=7, patience=100))
    assert len(history.epochs) == 7


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    text = str(error.value)
    assert text.isprintable()
    return text


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_the_learning_rate(
    head: Network, recipe: Change, bad: float
) -> None:
    inputs = clusters(90)[0]
    inputs[17, 2] = bad
    with pytest.raises(UserError) as caught:
        run(head, recipe(learning_rate=0.25), inputs=inputs)
    assert "fine_tune.learning_rate: 0.25" in one_line(caught)


def test_weights_that_explode_in_the_last_step_are_noticed(head: Network, recipe: Change) -> None:
    """The loss of the only batch is finite; what the step leaves behind gives no probabilities."""
    chosen = recipe(batch_size=90, learning_rate=100.0, epochs=1, weight_decay=0.0)
    inputs, val_inputs, val_labels = clusters(90)[0] * 1e34, *clusters(30, seed=1)
    with pytest.raises(UserError) as caught:
        run(head, chosen, inputs=inputs, val=(val_inputs * 1e34, val_labels))
    assert "fine_tune.learning_rate: 100" in one_line(caught)


def test_the_average_follows_the_weights_slowly(recipe: Change) -> None:
    def trained(ema_decay: float) -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(0)
        network = nn.Sequential(OrderedDict(head=nn.Linear(4, 3)))
        start = network[0].weight.detach().clone()
        run(network, recipe(epochs=1, momentum=0.0, weight_decay=0.0, ema_decay=ema_decay))
        return start, network[0].weight.detach()

    start, last = trained(0.0)
    _, averaged = trained(0.9)
    assert 0 < (averaged - start).norm() < (last - start).norm()


def test_class_weights_shift_the_loss(recipe: Change) -> None:
    """A class that counts next to nothing is not learnt."""
    inputs, labels = clusters(30, seed=1)
    recalls = []
    for weight in (1.0, 1e-6):
        torch.manual_seed(0)
        network = nn.Sequential(OrderedDict(head=nn.Linear(4, 3)))
        run(network, recipe(epochs=5), class_weights=torch.tensor([1.0, 1.0, weight]))
        predicted = network(inputs).argmax(dim=1)
        recalls.append(float((predicted == labels)[labels == 2].float().mean()))
    assert recalls[0] > 0.8
    assert recalls[1] < 0.3


def test_label_smoothing_raises_the_loss_of_a_sure_network(head: Network, recipe: Change) -> None:
    sharp, _ = run(head, recipe(epochs=4))
    torch.manual_seed(0)
    again = nn.Sequential(OrderedDict(head=nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 3))))
    smooth, _ = run(again, recipe(epochs=4, label_smoothing=0.3))
    assert smooth.epochs[-1]["train_loss"] > sharp.epochs[-1]["train_loss"] + 0.1


def test_every_example_is_seen_once_an_epoch(head: Network, recipe: Change) -> None:
    chosen = recipe(batch_size=16)
    inputs = torch.arange(90.0)[:, None].repeat(1, 4)

    class Watched(HeldExamples):
        def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for batch in super().epoch(epoch, first):
                seen[epoch] += batch[0][:, 0].int().tolist()
                yield batch

    seen: dict[int, list[int]] = {0: [], 1: []}
    fit(
        head,
        freeze(head, "all"),
        Watched(views=[inputs], labels=torch.arange(90) % 3, batch_size=16, seed=0),
        lambda batch: batch / 90,
        Validation(logits=lambda net: net(inputs / 90), labels=torch.arange(90) % 3),
        chosen,
        loss=functional.cross_entropy,
        device=CPU,
        precision="float32",
        on_epoch=lambda *_: None,
    )
    assert sorted(seen[0]) == sorted(seen[1]) == list(range(90))
    assert seen[0] != seen[1]


def test_the_weights_of_the_best_epochs_are_kept(head: Network, recipe: Change) -> None:
    history, _ = run(head, recipe(epochs=5, patience=9), num_good=2)
    first, second = history.best_first()
    assert first == history.best_epoch
    for key, value in history.best_state.items():
        assert torch.equal(history.good[first][key], value)
    ranked = sorted((e["val_macro_f1"] for e in history.epochs), reverse=True)
    assert history.epochs[second]["val_macro_f1"] == ranked[1]


def test_damage_ends_a_rate_below_which_there_is_another(head: Network, recipe: Change) -> None:
    trained(head, recipe)
    history, _ = run(head, recipe(epochs=1, learning_rate=0.0), may_keep_start=True)
    assert history.start is not None
    with pytest.raises(CollapseError):
        run(head, recipe(learning_rate=0.0), may_keep_start=True, ends_below=(0.0, 1.001))
