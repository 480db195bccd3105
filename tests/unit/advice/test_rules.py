"""What each rule proposes, and on which figure."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.unit.advice.conftest import profile
from thawline.advice import from_scratch
from thawline.advice.facts import Cost, Facts
from thawline.advice.proposing import propose
from thawline.params import plugins
from thawline.params.schema.whole import Params

Make = Callable[..., Facts]
LIMIT = "budget.max_latency_ms"


def proposed(facts: Facts) -> dict[str, Any]:
    return {p.key: p.value for p in propose(facts)}


def figure(facts: Facts, key: str) -> str:
    (found,) = [p.figure for p in propose(facts) if p.key == key]
    return found


def test_what_params_say_already_is_not_proposed(facts: Make) -> None:
    trained = {"fine_tune.trainable": "last_blocks", "fine_tune.num_blocks": 2}
    assert proposed(facts(trained)) == {}


def test_a_device_with_products_of_bfloat16_gets_auto(facts: Make) -> None:
    fixed = {"training.precision": "float32"}
    assert proposed(facts(fixed, quick_bfloat16=True))["training.precision"] == "auto"
    chosen = {"training.precision": "bfloat16"}
    assert "training.precision" not in proposed(facts(chosen, quick_bfloat16=True))
    assert "training.precision" not in proposed(facts(fixed))


def test_a_depth_that_the_features_do_not_say_becomes_auto(facts: Make) -> None:
    fixed = {"fine_tune.trainable": "last_blocks", "fine_tune.num_blocks": 3}
    found = facts(fixed, profile=profile(0.7, 0.8, 0.9))
    assert proposed(found)["fine_tune.trainable"] == "auto"
    assert "linear probe on 1,000 train images" in figure(found, "fine_tune.trainable")
    assert "fine_tune.num_blocks" not in proposed(found)


def test_a_depth_is_measured_anew_at_another_image_size(facts: Make) -> None:
    agrees = {"fine_tune.trainable": "last_blocks", "fine_tune.num_blocks": 2}
    assert "fine_tune.trainable" not in proposed(facts(agrees, side_px=500))
    larger = facts(agrees | {"ingest.image_size_px": 64}, side_px=500)
    assert proposed(larger)["fine_tune.trainable"] == "auto"
    assert "with another ingest.image_size_px" in figure(larger, "fine_tune.trainable")


AUTO = {
    "ingest.image_size_px": "auto",
    "ingest.near_duplicate_distance": "auto",
    "rebalance.strategy": "auto",
    "augment.policy": "auto",
    "training.precision": "auto",
    "transfer_learn.trainable": "auto",
    "fine_tune.trainable": "auto",
    "fine_tune.learning_rate": "auto",
    "fine_tune.norm_statistics": "auto",
}


@pytest.mark.parametrize("weights", ["imagenet", "none"])
def test_auto_is_left_to_itself(facts: Make, weights: str) -> None:
    chosen = facts(
        AUTO | {"model.weights": weights},
        counts=np.array([1000, 4]), side_px=500, colour=True, gained=-0.5, quick_bfloat16=True,
        profile=None if weights == "none" else profile(0.7, 0.98, 0.9),
    )  # fmt: skip
    assert not AUTO.keys() & proposed(chosen).keys()
    if weights == "imagenet":
        assert proposed(chosen) == {}


def test_random_weights_get_the_recipe_from_scratch(facts: Make) -> None:
    fixed = {"transfer_learn.trainable": "head", "fine_tune.trainable": "last_blocks"}
    found = proposed(facts({"model.weights": "none"} | fixed, profile=None))
    assert found["transfer_learn.trainable"] == found["fine_tune.trainable"] == "all"
    assert found["transfer_learn.learning_rate"] == from_scratch.TRANSFER_LEARN["learning_rate"]
    assert not [key for key in found if key.startswith("model.")]


@pytest.mark.parametrize(
    ("counts", "strategy"),
    [([50, 50, 45], "none"), ([500, 200, 150], "class_weights"), ([100, 60, 5], "oversample")],
)
def test_a_strategy_that_the_counts_would_not_choose_becomes_auto(
    facts: Make, counts: list[int], strategy: str
) -> None:
    found = facts({"rebalance.strategy": "undersample"}, counts=np.array(counts))
    assert proposed(found)["rebalance.strategy"] == "auto"
    assert f"({min(counts)})" in figure(found, "rebalance.strategy")
    assert f"auto takes {strategy}" in figure(found, "rebalance.strategy")
    agrees = facts({"rebalance.strategy": strategy}, counts=np.array(counts))
    assert "rebalance.strategy" not in proposed(agrees)


def test_options_of_another_strategy_go(facts: Make) -> None:
    options = {"rebalance.strategy": "smote", "rebalance.options": {"target_ratio": 0.5}}
    assert proposed(facts(options, counts=np.array([9, 9])))["rebalance.options"] == {}


def test_large_images_get_more_pixels_but_no_more_than_the_weights_saw(facts: Make) -> None:
    fixed = {"ingest.image_size_px": 64}
    large = facts(fixed, side_px=500)
    assert proposed(large)["ingest.image_size_px"] == 224
    assert "12.2 times the MACs" in figure(large, "ingest.image_size_px")
    assert proposed(facts(fixed, side_px=150))["ingest.image_size_px"] == 128
    assert "ingest.image_size_px" not in proposed(facts(fixed, side_px=100))
    assert "ingest.image_size_px" not in proposed(facts(side_px=500)), "auto is left to itself"


def test_near_copies_are_looked_for_in_photographs(facts: Make) -> None:
    off = {"ingest.near_duplicate_distance": None}
    assert proposed(facts(off, side_px=100))["ingest.near_duplicate_distance"] == 4
    assert "ingest.near_duplicate_distance" not in proposed(facts(off, side_px=28))
    assert "ingest.near_duplicate_distance" not in proposed(facts(side_px=100))


def test_a_policy_for_grey_images_is_none_for_colour(facts: Make) -> None:
    for policy in ("characters", "documents"):
        fixed = {"augment.policy": policy}
        assert proposed(facts(fixed, colour=True))["augment.policy"] == "light"
        assert "augment.policy" not in proposed(facts(fixed))
    for policy in ("none", "medical", "auto"):
        assert "augment.policy" not in proposed(facts({"augment.policy": policy}, colour=True))
    assert "augment.policy" not in proposed(facts())


@pytest.mark.parametrize(
    ("name", "limits", "figures", "chosen"),
    [
        ("lite2", {"budget.max_size_mb": 17.0}, {}, "lite1"),
        ("lite2", {"budget.max_size_mb": 1.0}, {}, None),
        ("lite2", {LIMIT: 1.0}, {"latency_ms": 2.0, "timed_on": "a CPU"}, "lite1"),
        ("lite0", {LIMIT: 1.0}, {"latency_ms": 2.0, "timed_on": "a CPU"}, None),
        ("lite2", {LIMIT: 1.0}, {}, None),  # not measured, so not guessed
        ("lite0", {"budget.min_accuracy": 0.9}, {"val_accuracy": 0.8}, "lite1"),
        ("lite0", {"budget.min_accuracy": 0.9}, {"val_accuracy": 0.95}, None),
    ],
)
def test_the_budget_names_the_network(
    facts: Make, name: str, limits: dict[str, float], figures: dict[str, Any], chosen: str | None
) -> None:
    found = facts({"model.name": f"tf_efficientnet_{name}", **limits}, **figures)
    expected = None if chosen is None else f"tf_efficientnet_{chosen}"
    assert proposed(found).get("model.name") == expected


def test_a_larger_network_keeps_within_the_size(facts: Make) -> None:
    limits = {"budget.min_accuracy": 0.9, "budget.max_size_mb": 14.0}
    assert "model.name" not in proposed(facts(limits, val_accuracy=0.8))


def test_a_speed_is_one_that_was_measured(facts: Make) -> None:
    slow = facts(
        {"model.name": "tf_efficientnet_lite2", LIMIT: 1.0}, latency_ms=2.5, timed_on="a CPU"
    )
    assert "measured 2.50 ms on a CPU" in figure(slow, "model.name")


def test_channels_go_where_no_smaller_network_is_known(facts: Make) -> None:
    slow = {"latency_ms": 2.0, "timed_on": "a CPU"}
    alone = facts({LIMIT: 1.0}, **slow)
    assert proposed(alone)["compress.prune.ratio"] == [0.0, 0.2, 0.4, 0.6]
    larger = facts({LIMIT: 1.0, "model.name": "tf_efficientnet_lite2"}, **slow)
    assert "compress.prune.ratio" not in proposed(larger)
    assert "compress.prune.ratio" not in proposed(facts({LIMIT: 3.0}, **slow))


def test_intervals_and_percentiles_get_their_samples(facts: Make) -> None:
    few = facts({"evaluate.bootstrap_samples": 400, "evaluate.latency_repeats": 50})
    assert proposed(few)["evaluate.bootstrap_samples"] == 2000
    assert "10 of 400 resamples of 300 test images" in figure(few, "evaluate.bootstrap_samples")
    assert proposed(few)["evaluate.latency_repeats"] == 100


@pytest.mark.parametrize(
    ("family", "name", "key", "value"),
    [
        ("vgg", "vgg11", "transfer_learn.learning_rate", 0.0003),
        ("vgg", "vgg11_bn", "transfer_learn.learning_rate", 0.001),
        ("alexnet", "alexnet", "fine_tune.clip_norm", 1.0),
        ("convnext", "convnext_tiny", "fine_tune.optimizer", "adamw"),
        ("mobilenet", "mobilenet_v2", "fine_tune.weight_decay", 0.00004),
    ],
)
def test_a_family_may_train_from_scratch_in_its_own_way(
    facts: Make, family: str, name: str, key: str, value: object
) -> None:
    chosen = {"model.weights": "none", "model.family": family, "model.name": name}
    costs = {name: Cost(parameters=1, macs=1, size_mb=1.0)}
    found = {p.key: p for p in propose(facts(chosen, profile=None, costs=costs))}
    current = facts(chosen).params
    section, last = key.split(".")
    assert (
        found[key].value == value
        if key in found
        else getattr(getattr(current, section), last) == value
    )


def test_every_family_s_own_recipe_is_of_keys_that_exist() -> None:
    for family in plugins.names(plugins.FAMILY):
        known = plugins.constant(plugins.FAMILY, family, "FROM_SCRATCH") or {}
        for stages in known.values():
            for stage, values in stages.items():
                fields = Params.model_fields[stage].annotation
                assert fields is not None
                assert values.keys() <= fields.model_fields.keys()  # type: ignore[attr-defined]


def test_a_fine_tuning_that_was_thrown_away_is_made_gentler(facts: Make) -> None:
    trained = {
        "fine_tune.trainable": "last_blocks", "fine_tune.num_blocks": 2,
        "fine_tune.norm_statistics": "update", "fine_tune.learning_rate": 0.05,
        "fine_tune.clip_norm": 0.0,
    }  # fmt: skip
    assert proposed(facts(trained, gained=0.01)) == {}
    found = facts(trained, gained=-0.25)
    assert proposed(found) == {
        "fine_tune.norm_statistics": "keep",
        "fine_tune.learning_rate": 0.01,
        "fine_tune.clip_norm": 1.0,
    }
    assert "25.0 points of macro-F1 below its start" in figure(found, "fine_tune.learning_rate")
    gentle = {"fine_tune.norm_statistics": "keep", "fine_tune.learning_rate": 0.002}
    assert proposed(facts(trained | gentle, gained=-0.25)) == {}


def test_unmeasured_recipes_are_not_proposed(facts: Make) -> None:
    thrown_away = facts({"training.batch_size": 128}, gained=-0.25, val_accuracy=0.5)
    assert not {k for k in proposed(thrown_away) if k.endswith(("label_smoothing", "epochs"))}
    assert "training.batch_size" not in proposed(thrown_away)
    adam = facts({"fine_tune.optimizer": "adam"}, val_accuracy=0.9)
    assert "fine_tune.optimizer" not in proposed(adam)
