"""Values of params.yaml: a mistake is one line with the key, the value and what is allowed."""

from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import modify_yaml

from tests.unit.params.conftest import MISSING, Write, changed, message
from thawline.errors import UserError
from thawline.params import params_file, plugin_rules
from thawline.params.schema.design import resolve_stem
from thawline.runtime import safe_yaml


def test_the_real_file_loads(repository: Path) -> None:
    loaded = params_file.load(repository / "params.yaml")
    assert loaded.ingest.source == "digits"
    assert loaded.ingest.background == "auto"


def test_what_the_data_may_decide_may_be_given(real: str, write: Write) -> None:
    given = {
        "image_size_px": 64, "fit": "crop", "background": [1, 2, 3], "near_duplicate_distance": 8,
    }  # fmt: skip
    raw: Any = real
    for key, value in given.items():
        raw = changed(raw, f"ingest.{key}", value)
    loaded = params_file.load(write(raw)).ingest.model_dump()
    assert {key: loaded[key] for key in given} == given | {"background": (1, 2, 3)}
    none = changed(raw, "ingest.near_duplicate_distance", None)
    assert params_file.load(write(none)).ingest.near_duplicate_distance is None


def test_a_network_may_be_too_large_for_what_ingest_decides(real: str, write: Write) -> None:
    """That is known once the images are packed."""
    raw = changed(changed(real, "model.family", "inception"), "model.name", "inception_v3")
    loaded = params_file.load(write(raw))
    assert list(plugin_rules.size_problems(loaded.model, 224)) == []
    (problem,) = plugin_rules.size_problems(loaded.model, 64)
    assert problem.startswith("ingest.image_size_px: 64 leaves nothing")


def test_params_are_frozen(repository: Path) -> None:
    loaded = params_file.load(repository / "params.yaml")
    with pytest.raises(ValueError, match="frozen"):
        loaded.seed = 1  # type: ignore[misc]


def test_scientific_notation_is_a_number_as_dvc_reads_it(real: str, write: Write) -> None:
    path = write(real.replace("learning_rate: 0.01", "learning_rate: 1e-4"))
    assert params_file.load(path).transfer_learn.learning_rate == 1e-4


@pytest.mark.parametrize("value", [1e-05, 2.5e-07, 1e16])
def test_numbers_are_read_as_dvc_writes_them(real: str, write: Write, value: float) -> None:
    path = write(real)
    with modify_yaml(str(path)) as content:  # what `dvc exp run -S` does
        content["transfer_learn"]["learning_rate"] = value
    assert f"learning_rate: {value}" in path.read_text(encoding="utf-8")
    assert safe_yaml.load(path)["transfer_learn"]["learning_rate"] == value


def test_flatten_gives_dotted_keys(repository: Path) -> None:
    flat = params_file.flatten(params_file.load(repository / "params.yaml"))
    assert flat["ingest.source"] == "digits"
    assert flat["ingest.options"] == {}
    assert flat["budget.min_accuracy"] is None
    assert all(not isinstance(value, dict) or not value for value in flat.values())


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        # Unknown keys: what is allowed there, and the closest.
        ("fine_tune.epochss", 3, ["unknown", "epochs", "Did you mean 'epochs'?"]),
        ("finetune", {}, ["unknown", "Did you mean 'fine_tune'?"]),
        ("ingest.zzz", 3, ["unknown", "image_size_px"]),
        # Types: nothing is converted in silence.
        ("fine_tune.epochs", "3", ["'3'", "integer"]),
        ("fine_tune.epochs", 3.5, ["3.5", "integer"]),
        ("fine_tune.epochs", True, ["True", "integer"]),
        ("fine_tune.epochs", [3], ["[3]", "integer"]),
        ("fine_tune.learning_rate", "fast", ["'fast'", "number"]),
        ("tracking.enabled", 1, ["1", "boolean"]),
        ("fine_tune", 3, ["3"]),
        ("fine_tune", None, ["None"]),
        ("ingest.background", [0, 0], []),
        ("ingest.background", [0, 0, 256], ["ingest.background.2", "256", "255"]),
        ("ingest.background", [0, 0, 0.5], ["ingest.background.2", "0.5", "integer"]),
        ("training.batch_size", "all", ["training.batch_size: 'all'", "integer, or", "'auto'"]),
        ("compress.prune.ratio", [0, "x"], ["compress.prune.ratio.1: 'x'", "number"]),
        # Values.
        ("fine_tune.epochs", None, ["None", "integer"]),
        ("fine_tune.epochs", -3, ["-3", "greater than or equal to 1"]),
        ("fine_tune.epochs", 10**30, ["1000000", "less than or equal to 10000"]),
        ("fine_tune.learning_rate", float("nan"), ["nan", "finite"]),
        ("fine_tune.learning_rate", float("inf"), ["inf", "finite"]),
        ("fine_tune.learning_rate", -0.1, ["-0.1", "greater than 0"]),
        ("ingest.val_ratio", 1.7, ["1.7", "less than 0.5"]),
        ("ingest.max_bad_ratio", 1.7, ["1.7", "less than or equal to 1"]),
        ("ingest.fit", "squash", ["'squash'", "letterbox", "crop", "stretch"]),
        ("ingest.near_duplicate_distance", 9, ["9", "less than or equal to 8"]),
        ("ingest.near_duplicate_distance", "4", ["'4'", "integer", "'auto'"]),
        ("ingest.image_size_px", 15, ["15", "greater than or equal to 16", "'auto'"]),
        ("ingest.image_size_px", "large", ["'large'", "integer", "'auto'"]),
        ("ingest.background", "white", ["'white'", "'auto'"]),
        ("ingest.conflicts", "merge", ["'merge'", "drop", "keep_first", "error"]),
        ("ingest.conflicts", None, ["None"]),
        ("ingest.group_by", "", ["''"]),
        ("ingest.group_by", 3, ["3", "string"]),
        ("ingest.group_by", "(a", ["'(a'", "no regular expression", "patient"]),
        ("ingest.group_by", "a+", ["'a+'", "0 groups"]),
        ("ingest.group_by", "(a)(b)", ["2 groups", "exactly one"]),
        ("ingest.group_by", "(a{99999999999999999999})", ["no regular expression"]),
        ("ingest.group_by", "x" * 501, ["500"]),
        ("ingest.path", "", ["''"]),
        ("ingest.path", "a\0b", ["x00"]),
        ("seed", -1, ["-1", "greater than or equal to 0"]),
        ("seed", 2**32, ["4294967296", "4294967295"]),
        ("budget.min_accuracy", 97, ["97", "less than or equal to 1"]),
        ("budget.max_minutes", 0, ["0", "greater than 0"]),
        ("budget.max_minutes", "10m", ["'10m'", "number"]),
        ("tracking.experiment", "a/b", ["'a/b'"]),
        ("compress.prune.ratio", 1.7, ["ratio.0: 1.7", "less than or equal to 0.95"]),
        ("compress.prune.ratio", [0, -0.1], ["ratio.1: -0.1", "greater than or equal to 0"]),
        ("compress.prune.ratio", "half", ["ratio.0: 'half'", "number"]),
        ("compress.prune.ratio", [], ["at least 1 item"]),
        ("compress.prune.ratio", None, ["None", "tuple"]),
        ("compress.prune.method", "magnitud_l2", ["Did you mean 'magnitude_l2'?"]),
        ("compress.prune.iterations", 0, ["0", "greater than or equal to 1"]),
        ("compress.quantize.method", "max", ["'max'", "minmax"]),
        ("compress.quantize.enabled", 1, ["1", "boolean"]),
        # Missing.
        ("compress", MISSING, ["missing"]),
        ("fine_tune.epochs", MISSING, ["missing"]),
        ("seed", MISSING, ["missing"]),
        # Plugins.
        ("ingest.source", "folders", ["'folders'", "digits", "Did you mean 'folder'?"]),
        ("ingest.source", "../../x", ["'../../x'", "digits, folder"]),
        ("rebalance.strategy", "os.path", ["'os.path'", "oversample"]),
        ("augment.policy", "__init__", ["'__init__'", "light"]),
        ("model.family", "efficientnt", ["Did you mean 'efficientnet'?"]),
        ("model.name", "resnet18", ["'resnet18'", "tf_efficientnet_lite0"]),
        # Options of plugins.
        ("ingest.options", {"imbalance_ratio": 0.5}, ["imbalance_ratio: 0.5", "to 1"]),
        ("ingest.options", {"imbalance_ratio": "3"}, ["imbalance_ratio: '3'"]),
        ("ingest.options", {"imbalance_rati": 3.0}, ["imbalance_rati:", "mean 'imbalance_ratio'?"]),
        ("rebalance.options", {"target_ratio": 1.0}, ["target_ratio: ", "'auto'", "allowed: none"]),
        ("augment.options", {"mirror": True}, ["mirror: ", "'auto'", "allowed: none"]),
        ("augment.options", [], ["[]", "dictionary"]),
        ("rebalance.apply_to", "trunk", ["'trunk'", "head", "all"]),
        ("rebalance.feature_model", "resnet18", ["'resnet18'", "tf_efficientnet_lite0"]),
        ("augment.minority", 1.5, ["1.5", "less than or equal to 1"]),
        # Batch-level augmentation.
        ("fine_tune.mixup_alpha", -0.1, ["-0.1", "greater than or equal to 0"]),
        ("fine_tune.mixup_alpha", 1e-9, ["1e-09", "allowed: 0 or at least 0.001"]),
        ("fine_tune.random_erasing", 1.5, ["1.5", "less than or equal to 1"]),
        ("transfer_learn.mixup_alpha", 0.2, ["transfer_learn.trainable: auto", "features", "0.2"]),
        ("transfer_learn.cutmix_alpha", 1.0, ["transfer_learn.trainable: auto", "features"]),
        ("transfer_learn.random_erasing", 0.5, ["transfer_learn.trainable: auto", "features"]),
    ],
)  # fmt: skip
def test_a_mistake_names_key_value_and_what_is_allowed(
    real: str, write: Write, key: str, value: object, expected: list[str]
) -> None:
    text = message(write(changed(real, key, value)))
    assert [part for part in (key, *expected) if part not in text] == []


@pytest.mark.parametrize(
    ("key", "options", "expected"),
    [
        ("rebalance.options", {"max_ratio": 2.0}, ["max_ratio: ", "'oversample'", "target_ratio"]),
        ("rebalance.options", {"rng": 1}, ["rng: ", "not an option", "target_ratio"]),
        ("augment.options", {"mirror": True}, ["mirror: ", "'characters'", "rotate_deg"]),
        ("augment.options", {"elastic": float("nan")}, ["elastic: ", "nan", "finite"]),
    ],
)
def test_options_are_those_of_the_chosen_plugin(
    real: str, write: Write, key: str, options: dict[str, Any], expected: list[str]
) -> None:
    raw = changed(real, "rebalance.strategy", "oversample")
    raw = changed(raw, "augment.policy", "characters")
    text = message(write(changed(raw, key, options)))
    assert [part for part in (key, *expected) if part not in text] == []


@pytest.mark.parametrize("key", ["mixup_alpha", "cutmix_alpha", "random_erasing"])
def test_pixels_are_mixed_where_blocks_train(real: str, write: Write, key: str) -> None:
    raw = changed(real, f"fine_tune.{key}", 0.5)
    assert getattr(params_file.load(write(raw)).fine_tune, key) == 0.5
    raw = changed(changed(raw, "fine_tune.trainable", "last_blocks"), "fine_tune.num_blocks", 3)
    assert getattr(params_file.load(write(raw)).fine_tune, key) == 0.5
    assert "fine_tune.trainable: last_blocks" in message(
        write(changed(raw, "fine_tune.num_blocks", 0))
    )


def test_auto_may_choose_the_head_and_then_mixes_no_pixels(real: str, write: Write) -> None:
    raw = changed(changed(real, "transfer_learn.trainable", "auto"), "fine_tune.trainable", "auto")
    assert params_file.load(write(changed(raw, "fine_tune.mixup_alpha", 0.2)))
    mixed = changed(raw, "transfer_learn.mixup_alpha", 0.2)
    assert "transfer_learn.trainable: auto" in message(write(mixed))
    assert params_file.load(write(changed(mixed, "model.weights", "none")))
    assert "transfer_learn.trainable: auto" in message(
        write(changed(mixed, "transfer_learn.solver", "gradient"))
    )


@pytest.mark.parametrize("key", ["mixup_alpha", "cutmix_alpha", "random_erasing"])
@pytest.mark.parametrize("trainable", ["head", "auto"])
@pytest.mark.parametrize("solver", ["auto", "ridge", "gradient"])
def test_pixels_of_a_frozen_trunk_are_not_mixed(
    real: str, write: Write, key: str, trainable: str, solver: str
) -> None:
    raw = changed(real, "transfer_learn.trainable", trainable)
    raw = changed(changed(raw, "transfer_learn.solver", solver), f"transfer_learn.{key}", 0.5)
    text = message(write(raw))
    assert f"transfer_learn.{key}: 0.5" in text
    assert f"transfer_learn.trainable: {trainable}" in text
    assert ("solves a head" in text) == (solver != "gradient")
    assert "allowed: 0, or unfreeze some blocks (e.g. trainable: last_blocks)" in text


def test_binary_layers_are_not_pruned(real: str, write: Write) -> None:
    raw = changed(real, "compress.prune.ratio", [0, 0.3])
    assert params_file.load(write(raw)).compress.prune.ratio == (0, 0.3)
    binary = changed(raw, "model.design.convolution", "xnor")
    assert "compress.prune.ratio: binary layers cannot be pruned" in message(write(binary))
    assert params_file.load(write(changed(binary, "compress.prune.ratio", 0)))


def test_a_misspelt_key_is_named_as_it_stands_in_the_file(real: str, write: Write) -> None:
    text = message(write(real.replace("  epochs: 30", "  epoch: 30")))
    assert "transfer_learn.epoch: unknown key" in text
    assert "Did you mean 'epochs'?" in text


def test_made_up_features_need_a_frozen_trunk(real: str, write: Write) -> None:
    raw = changed(real, "rebalance.strategy", "smote")
    for solver in ("auto", "ridge", "gradient"):
        solved = changed(raw, "transfer_learn.solver", solver)
        for trainable in ("head",) if solver == "gradient" else ("head", "auto"):
            allowed = changed(solved, "transfer_learn.trainable", trainable)
            assert params_file.load(write(allowed)).rebalance.strategy == "smote"
    unsure = message(write(changed(raw, "transfer_learn.solver", "gradient")))
    assert "transfer_learn.trainable: 'auto'" in unsure
    refused = message(write(changed(raw, "transfer_learn.trainable", "all")))
    assert "transfer_learn.trainable: 'all'" in refused
    assert "'smote'" in refused
    assert refused.endswith("allowed with it: head")


@pytest.mark.parametrize(
    ("family", "name", "key", "value", "expected"),
    [
        ("alexnet", "alexnet", "model.design.depth", 2.0, ["'alexnet'", "stages", "allowed: 1.0"]),
        ("inception", "googlenet", "model.design.width", 0.5, ["'inception'", "allowed: 1.0"]),
        ("vgg", "vgg11", "model.stem", "small", ["'vgg'", "allowed: auto, imagenet"]),
        ("timm", "resnet10t", "model.stem", "small", ["'timm'"]),
        ("vgg", "vgg11", "ingest.image_size_px", 31, ["'vgg11'", "allowed: at least 32"]),
        ("inception", "inception_v3", "ingest.image_size_px", 64, ["at least 75, or model.stem"]),
        ("resnet", "resnet8", "model.name", "resnet8", ["'resnet8'", "mean 'resnet18'?"]),
    ],
)
def test_what_a_family_cannot_do_is_refused(
    real: str, write: Write, family: str, name: str, key: str, value: object, expected: list[str]
) -> None:
    raw = changed(changed(real, "model.family", family), "model.name", name)
    text = message(write(changed(raw, key, value)))
    assert [part for part in (key, *expected) if part not in text] == []


def test_small_images_without_weights_get_the_small_stem(real: str, write: Write) -> None:
    raw = changed(changed(real, "model.family", "inception"), "model.name", "inception_v3")
    raw = changed(changed(raw, "model.weights", "none"), "ingest.image_size_px", 64)
    assert params_file.load(write(raw)).ingest.image_size_px == 64


@pytest.mark.parametrize(
    ("wanted", "family", "weights", "size", "stem"),
    [
        ("auto", "resnet", "none", 64, "small"),
        ("auto", "resnet", "none", 65, "imagenet"),
        ("auto", "resnet", "imagenet", 32, "imagenet"),
        ("auto", "resnet", "file", 32, "imagenet"),
        ("auto", "vgg", "none", 32, "imagenet"),
        ("small", "resnet", "imagenet", 224, "small"),
        ("imagenet", "resnet", "none", 32, "imagenet"),
    ],
)
def test_what_auto_means(wanted: Any, family: str, weights: str, size: int, stem: str) -> None:
    found = resolve_stem(wanted, family=family, weights=weights, image_size_px=size)
    assert found == stem


def test_a_table_of_corrections_must_be_there(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = params_file.load(repository / "params.yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "none").touch()
    with pytest.raises(UserError, match=r"label_fixes\.csv: does not exist"):
        params_file.check_inputs(loaded)
    (tmp_path / "data" / "label_fixes.csv").write_text("image,label,was\n")
    with pytest.raises(UserError, match=r"holdout\.csv: does not exist.* image,sha256"):
        params_file.check_inputs(loaded)
    (tmp_path / "data" / "holdout.csv").write_text("image,sha256\n")
    params_file.check_inputs(loaded)


def test_ratios_that_leave_nothing_to_train_on(real: str, write: Write) -> None:
    raw = changed(changed(real, "ingest.val_ratio", 0.45), "ingest.test_ratio", 0.45)
    assert "0.9" in message(write(raw))
