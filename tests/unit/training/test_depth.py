"""`trainable: auto`: what is measured, what is chosen by it, what a person reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from thawline.dataset.image_store import ImageStore
from thawline.features.layer_profile import BlockScore, GroupScore, HeadFit, Profile
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.plots import style
from thawline.report import depth_profile
from thawline.training import freeze_decision, layer_probe
from thawline.training.context import TrainingData
from thawline.training.freeze_decision import FreezeDecision

CPU = torch.device("cpu")
CLOSED_FORM = HeadFit(
    chosen=GroupScore(blocks=("b0 2x2", "b1 1x1"), num_features=9, accuracy=0.5, squared_error=1.0),
    tried=(),
    augmented=None,
    augmented_accuracy=None,
    penalty=0.1,
    accuracy=0.5,
    error=0.25,
    nll=0.3,
    num_rows=10,
    temperature=0.5,
)


def profile(*accuracies: float, error: float = 0.01) -> Profile:
    scores = tuple(
        BlockScore(block=f"b{i}", num_features=8, accuracy=a, error=error, logme=round(a - 1, 6))
        for i, a in enumerate(accuracies)
    )
    return Profile(scores=scores, split="train", num_rows=100, num_classes=3)


def measured(network: Network, card: ModelConfig, data: TrainingData, **changed: object) -> Profile:
    how: dict[str, object] = {"split": "train", "seed": 0, "device": CPU, **changed}
    return layer_probe.measure(network.eval(), card, data.store, data.manifest, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accuracies", "head", "fine_tuned"),
    [
        ((0.5, 0.7, 0.9), 0, 1),
        ((0.5, 0.895, 0.9), 2, 2),  # within one standard error
        ((0.5, 0.85, 0.9), 0, 1),
        ((0.5, 0.6, 0.95, 0.9), 2, 2),
        ((0.5, 0.6, 0.95, 0.7, 0.9), 4, 4),
        ((0.95, 0.9, 0.9), 3, 3),  # there are no more
        ((0.895, 0.9, 0.7), 3, 3),
        ((0.9, 0.9, 0.9), 3, 3),
    ],
)
def test_twice_what_follows_the_best_features_trains(
    accuracies: tuple[float, ...], head: int, fine_tuned: int
) -> None:
    for stage, count in (("transfer_learn", head), ("fine_tune", fine_tuned)):
        decided = freeze_decision.by_profile(stage, profile(*accuracies))
        assert (decided.trainable, decided.num_blocks) == (
            ("last_blocks", count) if count else ("head", 0)
        )
        assert decided.trains_body == (count > 0)


def test_the_reason_names_what_was_measured() -> None:
    reason = freeze_decision.by_profile("fine_tune", profile(0.95, 0.9, 0.8)).reason
    for part in ("95.0 % (± 1.0) after b0", "80.0 % (± 1.0) after b2", "100 train images",
                 "LogME is highest after b0",
                 "the last 3 blocks and the head (2 after b0, 1 up to it)"):  # fmt: skip
        assert part in reason
    near = freeze_decision.by_profile("fine_tune", profile(0.8, 0.895, 0.9)).reason
    assert "of 89.5 % (± 1.0) after b1, within a standard error of the best (90.0 %" in near
    assert "the last 2 blocks and the head (1 after b1, 1 up to it)" in near
    last = freeze_decision.by_profile("fine_tune", profile(0.8, 0.9)).reason
    assert last.endswith("so it trains the last block and the head")
    assert (
        "the head alone" in freeze_decision.by_profile("transfer_learn", profile(0.8, 0.9)).reason
    )


def test_too_few_rows_train_the_head_and_little_more() -> None:
    none = Profile(scores=(), split="val", num_rows=0, num_classes=0)
    assert freeze_decision.by_profile("transfer_learn", none).trainable == "head"
    decided = freeze_decision.by_profile("fine_tune", none)
    assert decided.num_blocks == 1
    assert "no two classes have enough val rows" in decided.reason


def test_random_weights_train_whole() -> None:
    assert freeze_decision.whole("fine_tune").trainable == "all"
    assert freeze_decision.warning(freeze_decision.whole("fine_tune")) == ""
    for trainable in ("head", "norm", "first_blocks"):
        decided = freeze_decision.given("transfer_learn", trainable, 2, from_scratch=True)
        assert f"transfer_learn.trainable: {trainable}" in freeze_decision.warning(decided)
    assert not freeze_decision.warning(
        freeze_decision.given("fine_tune", "head", 0, from_scratch=False)
    )


@pytest.mark.parametrize(
    ("trainable", "num_blocks", "body"),
    [("head", 3, False), ("last_blocks", 0, False), ("last_blocks", 1, True), ("norm", 0, True)],
)
def test_whether_the_body_trains(trainable: str, num_blocks: int, body: bool) -> None:
    decided = freeze_decision.given("transfer_learn", trainable, num_blocks, from_scratch=False)
    assert decided.trains_body == body


def test_a_decision_is_read_as_it_was_written(tmp_path: Path) -> None:
    for decided in (
        freeze_decision.by_profile("fine_tune", profile(0.95, 0.9)),
        freeze_decision.given("fine_tune", "head", 0, from_scratch=True),
        replace(freeze_decision.behind_solved_head("fine_tune"), outcome="keeps the start"),
        replace(
            freeze_decision.given("fine_tune", "head", 0, from_scratch=False), head=CLOSED_FORM
        ),
    ):
        decided.write(tmp_path)
        assert FreezeDecision.read(tmp_path) == decided


def test_every_block_with_parameters_is_measured(
    small: Network, card: ModelConfig, data: TrainingData
) -> None:
    found = measured(small, card, data)
    assert [score.block for score in found.scores] == ["stem", "middle", "tail"]
    assert [score.num_features for score in found.scores] == [8, 16, 16]
    assert (found.num_rows, found.num_classes) == (60, 3)
    assert all(0.3 < score.accuracy <= 1 for score in found.scores)


def test_measuring_is_a_function_of_its_arguments(
    small: Network, card: ModelConfig, data: TrainingData
) -> None:
    before = {name: value.clone() for name, value in small.state_dict().items()}
    random = torch.random.get_rng_state()
    assert measured(small, card, data) == measured(small, card, data)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(before[name], value) for name, value in small.state_dict().items())


def test_only_rows_of_the_split_are_seen(
    small: Network, card: ModelConfig, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    take = ImageStore.take

    def noted(store: ImageStore, rows: np.ndarray) -> np.ndarray:
        seen.update(rows.tolist())
        return take(store, rows)

    monkeypatch.setattr(ImageStore, "take", noted)
    assert measured(small, card, data, split="val").split == "val"
    assert seen <= set(data.manifest.rows("val").tolist())
    seen.clear()
    measured(small, card, data)
    assert seen == set(data.manifest.rows("train").tolist())


def test_groups_of_the_manifest_are_kept_together(
    small: Network, card: ModelConfig, data: TrainingData
) -> None:
    """Four groups in a class cannot be cross-validated, whatever their size."""
    labels, splits = data.manifest.labels, data.manifest.splits
    groups = tuple(
        f"{k}-{i % 4}" if k == 0 and split == "train" else None
        for i, (k, split) in enumerate(zip(labels, splits, strict=True))
    )
    grouped = replace(data, manifest=replace(data.manifest, groups=groups))
    assert measured(small, card, grouped).num_classes == 2


def test_features_are_averaged_over_the_places(
    small: Network, card: ModelConfig, data: TrainingData
) -> None:
    images = [data.store.take(np.arange(4))]
    found = layer_probe.block_features(small.eval(), images, card, device=CPU)
    # The head's own pooling is the same average.
    pooled = (
        small[:4](layer_probe.to_input(images[0], mean=card.mean, std=card.std)).detach().numpy()
    )
    assert found["tail"] == pytest.approx(pooled, abs=1e-6)


@pytest.mark.parametrize(
    "accuracies",
    [(0.6, 0.9, 0.8), pytest.param(tuple(np.linspace(0.3, 0.9, 40)), marks=pytest.mark.slow)],
)
def test_the_picture_is_a_function_of_the_decision(
    tmp_path: Path, accuracies: tuple[float, ...]
) -> None:
    decided = freeze_decision.by_profile("fine_tune", profile(*accuracies))
    for name in ("a.png", "b.png"):
        style.save(depth_profile.draw(decided), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
