"""A training on which a test can lay hands, kept after every step."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.training.resume.kills import EPOCHS, HARD, Change, Training
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training import resume
from thawline.training.context import TrainingData


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "SHORTEST_S", 0.0)


@pytest.fixture
def training(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change, tmp_path: Path
) -> Callable[..., Training]:
    def made(**changes: object) -> Training:
        chosen = recipe(epochs=EPOCHS, **HARD | changes)
        return Training(small, card, data, chosen, tmp_path / "resume")

    return made
