"""Kept features are the bits that would be computed, or they are computed."""

import errno
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch

from thawline.features import extract
from thawline.features.cache import FeatureCache
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.runtime import checksummed_file
from thawline.training import layer_probe
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe
from thawline.training.train import train

Change = Callable[..., Recipe]
CPU = torch.device("cpu")
ARRAY = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


class Counted:
    """An array in batches, and how often it was computed."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Iterator[np.ndarray]:
        self.times += 1
        yield from np.split(ARRAY, [4, 8])


@pytest.fixture
def made() -> Counted:
    return Counted()


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_what_is_kept_is_not_computed_again(made: Counted, tmp_path: Path) -> None:
    for _ in range(2):
        cache = FeatureCache(1.0, tmp_path)
        assert np.array_equal(cache.get({"a": "1"}, 10, made), ARRAY)
    assert made.times == 1
    cache.get({"a": "2"}, 10, made)
    assert made.times == 2
    assert len(files(tmp_path)) == 2


def test_writing_to_it_does_not_change_the_file(made: Counted, tmp_path: Path) -> None:
    cache = FeatureCache(1.0, tmp_path)
    cache.get({}, 10, made)[:] = 7
    assert np.array_equal(cache.get({}, 10, made), ARRAY)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes()[:100]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes() + b"\0"),
        lambda file: file.write_bytes(pickle.dumps(ARRAY)),
        lambda file: file.write_bytes(file.read_bytes().replace(b"thawline-1", b"thawline-0")),
        lambda file: file.write_bytes(file.read_bytes()[:-2] + b"ab"),
        lambda file: file.write_bytes(file.read_bytes().replace(b"[10, 3]", b"[11, 3]")),
        lambda file: checksummed_file.write(file, {"known_by": {}, "shape": [10**6, 3]}, [b"abc"]),
        lambda file: checksummed_file.write(file, {"known_by": {}}, [b"abc"]),
        lambda file: checksummed_file.write(
            file, {"known_by": {"b": ""}, "shape": [10, 3]}, [bytes(120)]
        ),
    ],
)
def test_a_damaged_file_is_computed_anew(
    made: Counted, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    FeatureCache(1.0, tmp_path).get({}, 10, made)
    damage(files(tmp_path)[0])
    for times in (2, 2):
        assert np.array_equal(FeatureCache(1.0, tmp_path).get({}, 10, made), ARRAY)
        assert made.times == times


def test_the_oldest_give_way(made: Counted, tmp_path: Path) -> None:
    room = (2 * (checksummed_file.HEADER_BYTES + 120) + 60) / 1e9
    for number in range(3):
        FeatureCache(room, tmp_path).get({"n": str(number)}, 10, made)
    assert len(files(tmp_path)) == 2
    FeatureCache(room, tmp_path).get({"n": "1"}, 10, made)
    FeatureCache(room, tmp_path).get({"n": "2"}, 10, made)
    assert made.times == 3, "the first one went"


def test_nothing_that_a_run_uses_gives_way(made: Counted, tmp_path: Path) -> None:
    room = (checksummed_file.HEADER_BYTES + 200) / 1e9
    cache = FeatureCache(room, tmp_path)
    for number in (0, 1, 0):
        assert np.array_equal(cache.get({"n": str(number)}, 10, made), ARRAY)
    assert len(files(tmp_path)) == 1
    assert made.times == 2


def test_without_room_nothing_is_kept(made: Counted, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    assert np.array_equal(FeatureCache(0.0, folder).get({}, 10, made), ARRAY)
    assert made.times == 1
    assert not folder.exists()


def test_a_full_disk_keeps_nothing_and_the_run_goes_on(
    made: Counted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(descriptor: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert np.array_equal(FeatureCache(1.0, tmp_path).get({}, 10, made), ARRAY)
    assert "No space left on device" in capsys.readouterr().err
    assert files(tmp_path) == []


def trained(
    network: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Recipe,
    cache: FeatureCache | None,
    precision: str = "float32",
) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    machine = Machine(device=CPU, precision=precision, workers=0, seed=0, cache=cache)
    train(network, card, data, recipe, machine, lambda *_: None)
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("cache", ["none", "views"])
@pytest.mark.parametrize("trainable", ["head", "last_blocks"])
def test_training_is_the_same_with_a_cold_a_warm_and_no_cache(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Change,
    tmp_path: Path,
    cache: str,
    trainable: str,
) -> None:
    start = {name: value.clone() for name, value in small.state_dict().items()}
    chosen = recipe(trainable=trainable, num_blocks=1, cache=cache)
    states = []
    for kept in (None, *(FeatureCache(1.0, tmp_path / "kept") for _ in range(2))):
        small.load_state_dict(start)
        states.append(trained(small, card, data, chosen, kept))
    for state in states[1:]:
        assert all(torch.equal(value, state[name]) for name, value in states[0].items())
    expected = 3 if trainable == "head" or cache == "views" else 0  # two views, validation
    assert len(list((tmp_path / "kept").glob("*"))) == expected


def test_cached_views_train_what_follows_as_images_do(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change, tmp_path: Path
) -> None:
    """As many views as epochs: then the cache shows what training from images would."""
    small[-1][0].p = 0.0  # the loader of images draws a number from the generator of dropout
    start = {name: value.clone() for name, value in small.state_dict().items()}
    found = []
    for cache in ("none", "views"):
        small.load_state_dict(start)
        chosen = recipe(trainable="last_blocks", num_blocks=2, epochs=2, cache=cache)
        found.append(trained(small, card, data, chosen, FeatureCache(1.0, tmp_path)))
    for name, value in found[0].items():
        assert torch.allclose(value.float(), found[1][name].float(), atol=1e-4), name


def test_what_would_not_fit_runs_in_each_epoch(
    small: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Change,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen = recipe(trainable="last_blocks", num_blocks=1, cache="views")
    kept = FeatureCache(1e-6, tmp_path)
    trained(small, card, data, chosen, kept)
    assert "more than training.cache_gb: they run in each epoch" in capsys.readouterr().err
    assert files(tmp_path) == []


def test_whatever_changes_a_feature_is_computed(
    small: Network, card: ModelConfig, data: TrainingData, tmp_path: Path
) -> None:
    """Each of them on its own, and none of them a second time."""
    rows, tall = data.rows.indices, card.model_copy(update={"mean": (0.4, 0.5, 0.5)})
    other = [*data.policy, {"name": "VerticalFlip", "p": 0.5}]
    changed = torch.nn.Sequential(*list(small)[:3]).eval()
    with torch.no_grad():
        next(changed.parameters()).mul_(1.5)

    def found(cache: FeatureCache) -> list[bytes]:
        how = {"num_views": 1, "precision": "float32", "device": CPU, "cache": cache}
        views = [
            extract.compute_views(changed, data.store, rows, card, data.policy, seed=0, **how),
            extract.compute_views(changed, data.store, rows, card, data.policy, seed=1, **how),
            extract.compute_views(changed, data.store, rows, tall, data.policy, seed=0, **how),
            extract.compute_views(changed, data.store, rows[1:], card, data.policy, seed=0, **how),
            extract.compute_views(changed, data.store, rows, card, other, seed=0, **how),
            extract.compute_views(changed, data.store, rows, card, [], seed=0, **how),
            extract.compute_views(changed[:2], data.store, rows, card, [], seed=0, **how),
        ]
        return [one.contiguous().numpy().tobytes() for (one,) in views]

    first = found(FeatureCache(1.0, tmp_path))
    assert len(files(tmp_path)) == len(set(first)) == 7
    assert found(FeatureCache(1.0, tmp_path)) == first
    assert len(files(tmp_path)) == 7


def test_rows_as_they_are_are_shared_whatever_repeats_them(
    small: Network, card: ModelConfig, data: TrainingData, tmp_path: Path
) -> None:
    trunk = small[:3].eval()
    how = {"precision": "float32", "device": CPU, "cache": FeatureCache(1.0, tmp_path)}
    extract.compute(trunk, data.store, data.manifest.rows("train"), card, **how)
    extract.compute_views(
        trunk, data.store, data.rows.indices, card, [], num_views=3, seed=0, **how
    )
    assert len(files(tmp_path)) == 1


@pytest.mark.slow
def test_the_profile_of_the_blocks_is_the_same(
    small: Network, card: ModelConfig, data: TrainingData, tmp_path: Path
) -> None:
    small.eval()

    def measured(cache: FeatureCache | None) -> object:
        return layer_probe.measure(
            small, card, data.store, data.manifest, split="train", seed=0, device=CPU, cache=cache
        )

    assert measured(None) == measured(FeatureCache(1.0, tmp_path))
    assert len(files(tmp_path)) == 1
    assert measured(None) == measured(FeatureCache(1.0, tmp_path))


def test_mixing_is_refused(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Change
) -> None:
    chosen = recipe(trainable="last_blocks", num_blocks=1, cache="views", cutmix_alpha=1.0)
    with pytest.raises(Exception, match="features computed once"):
        trained(small, card, replace(data), chosen, None)
