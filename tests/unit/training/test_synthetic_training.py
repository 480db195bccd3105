"""Which rows a head and a whole network train on when features are made up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from thawline.dataset.rows import Rows
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training import feature_smote, stage
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe
from thawline.training.train import train

MACHINE = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)


@pytest.mark.parametrize(("trainable", "filled"), [("head", 2), ("all", 0)])
def test_features_are_made_up_for_a_head_only(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Callable[..., Recipe],
    trainable: str,
    filled: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = Rows(indices=data.rows.indices, class_weights=np.ones(3), targets=np.full(3, 40))
    seen: list[np.ndarray] = []
    genuine = feature_smote.fill_up

    def watched(*args: object, **options: object) -> object:
        views, labels = genuine(*args, **options)  # type: ignore[arg-type]
        seen.extend(np.bincount(labels) for _ in views)
        return views, labels

    monkeypatch.setattr(feature_smote, "fill_up", watched)
    chosen = recipe(trainable=trainable, epochs=1)
    train(small, card, replace(data, rows=rows), chosen, MACHINE, lambda *_: None)
    assert [counts.tolist() for counts in seen] == [[40, 40, 40]] * filled


@pytest.mark.parametrize(
    ("head", "apply_to", "rebalanced"),
    [(True, "all", True), (False, "all", True), (True, "head", True), (False, "head", False)],
)
def test_only_the_head_sees_rebalanced_rows_when_asked(
    data: TrainingData,
    head: bool,
    apply_to: str,
    rebalanced: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "rows.parquet"
    Rows(indices=np.array([0, 0, 5]), class_weights=np.array([1.0, 2.0, 3.0])).write(file)
    monkeypatch.setattr(stage, "ROWS", file)
    rows = stage.rows_for(data.manifest, head=head, apply_to=apply_to)
    expected = [0, 0, 5] if rebalanced else list(range(60))
    assert rows.indices.tolist() == expected
    assert rows.class_weights.tolist() == ([1, 2, 3] if rebalanced else [1, 1, 1])
