"""From files to trials; a mistake is named before anything runs."""

from pathlib import Path

import pytest

from tests.unit.studies.conftest import TEXT, Planned
from thawline.errors import UserError
from thawline.params.schema.whole import Params
from thawline.studies import definition, plan

GUIDE = {
    "network_type", "mobilenet", "xnor", "shufflenet", "depth", "width", "activation",
    "kernel_size", "dilation", "augmentation", "optimizer", "class_balance", "transfer", "pruning",
}  # fmt: skip


def test_a_grid_is_all_combinations_of_the_axes(planned: Planned) -> None:
    study = planned()
    assert [c.label for c in study.contenders] == ["a, 0.0", "a, 0.9", "b, 0.0", "b, 0.9"]
    assert study.contenders[3].overrides == {
        "fine_tune.epochs": 2, "augment.policy": "light", "fine_tune.momentum": 0.9
    }  # fmt: skip
    assert [(c.baseline, c.contender) for c in study.claims] == [
        ("a, 0.0", "b, 0.0"), ("a, 0.0", "b, 0.9")
    ]  # fmt: skip


def test_trials_are_overrides_times_seeds(planned: Planned) -> None:
    trials = planned().trials(threads=1)
    assert [(t.contender, t.seed) for t in trials[:3]] == [
        ("a, 0.0", 3),
        ("a, 0.0", 1),
        ("a, 0.9", 3),
    ]
    assert len(trials) == 8
    assert trials[1].overrides["seed"] == 1
    assert trials[1].overrides["training.threads"] == 1
    assert trials[1].overrides["transfer_learn.refit"] == "none"


def test_the_key_is_of_overrides_and_code(planned: Planned) -> None:
    trials = planned().trials(threads=1)
    assert len({t.key("x") for t in trials}) == len(trials)
    assert [t.key("x") for t in planned().trials(1)] == [t.key("x") for t in trials]
    assert trials[0].key("x") != trials[0].key("y")
    assert trials[0].key("x") != planned().trials(2)[0].key("x")


def test_a_base_of_its_own_goes_before_threads(planned: Planned) -> None:
    study = planned("fine_tune.epochs: 2", "training.threads: 2")
    assert study.trials(threads=1)[0].overrides["training.threads"] == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("augment.policy: [none", "augment.polcy: [none", "'augment.polcy' is unknown; allowed: "),
        ("augment.policy: [none", "augmnt.policy: [none", "Did you mean 'augment'"),
        ("[none, light]", "[none, lihgt]", "'lihgt' is unknown; allowed: aerial"),
        ("[none, light]", "[none]", "label has 2, augment.policy has 1"),
        ("[0.0, 0.9]", "[0.0, 1.5]", "fine_tune.momentum: 1.5 is not allowed"),
        ("[0.0, 0.9]", "[0.9, 0.9]", "two contenders are called 'a, 0.9'"),
        ("fine_tune.epochs: 2", "seed: 2", "seed: is not an axis"),
        ("tune.val_accuracy", "tune.val_acuracy", "Did you mean 'fine_tune.val_accuracy'"),
        ("fine_tune.val_accuracy", "evaluate.accuracy", "uses test rows, which must"),
        ("smallest_effect: 0.02", "smallest_effect: 0", "smallest_effect: 0 is not allowed"),
        ("smallest_effect: 0.02\n", "", "smallest_effect: missing"),
        ("claim:", "clam:", "'clam' is unknown; allowed: claim, question"),
        ("[3, 1]", "[3, 3]", "two seeds are the same"),
        ('"b, 0.9"', "b", "comparisons: contender: 'b' is unknown; allowed: a, 0.0"),
        ('"b, 0.9"', '"a, 0.0"', "'a, 0.0' is compared with itself"),
        ("seeds: [3", "search: {trials: 3, space: {seed: [1, 2]}}\nseeds: [3", "either axes or"),
        ("fine_tune.epochs: 2", "transfer_learn.refit: auto", "refit: 'auto'; allowed: none"),
        ("expect: better", "expect: best", "expect: 'best' is not allowed"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(planned: Planned, old: str, new: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        planned(old, new)
    text = str(caught.value)
    assert said in text
    assert "tiny.yaml: " in text
    assert "\n" not in text
    assert len(text) < 1500


def search(space: str) -> str:
    head, _, tail = TEXT.partition("axes:")
    return (
        f"{head}search:\n  trials: 3\n  space: {space}\n"
        + tail[tail.index("seeds") :].split("comparisons")[0]
    )


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("{fine_tune.momentum: {low: 0.0, high: 2.0}}", "fine_tune.momentum: 2.0 is not allowed"),
        ("{fine_tune.momentum: {low: 0.9, high: 0.1}}", "low must be below high"),
        ("{fine_tune.learning_rate: {low: 0.0, high: 0.1, log: true}}", "above 0"),
        ("{augment.policy: [light, hevy]}", "'hevy' is unknown"),
    ],
)
def test_a_space_is_checked_at_its_ends(
    tmp_path: Path, project: Params, space: str, said: str
) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(search(space), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        plan.study(path, definition.load(path), project)


@pytest.mark.parametrize(
    ("axes", "seeds", "said"),
    [
        (4, 1, "10,000 contenders of 1 seeds; allowed: at most 1,000 contenders, and 10,000"),
        (1, 2000, "10 contenders of 2,000 seeds; allowed: "),
    ],
)
def test_a_grid_is_bounded_by_its_product(
    tmp_path: Path, project: Params, axes: int, seeds: int, said: str
) -> None:
    keys = ("momentum", "weight_decay", "learning_rate", "label_smoothing")
    steps = [0.01 * k for k in range(1, 11)]
    listed = "".join(f"  - fine_tune.{key}: {steps}\n" for key in keys[:axes])
    text = TEXT.replace("seeds: [3, 1]", f"seeds: {list(range(seeds))}")
    head, tail = text.split("axes:\n")
    path = tmp_path / "tiny.yaml"
    path.write_text(f"{head}axes:\n{listed}{tail[tail.index('seeds') :]}", encoding="utf-8")
    with pytest.raises(UserError, match=said):
        plan.study(path, definition.load(path), project)


def test_an_unknown_study_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(UserError, match="Did you mean 'activation'"):
        definition.find("activations")
    assert definition.find("depth") == [Path("studies/depth.yaml")]
    assert definition.find("mine.yaml") == [Path("mine.yaml")]


@pytest.mark.slow
@pytest.mark.ci
def test_every_row_of_the_guide_is_a_study(repository: Path, project: Params) -> None:
    files = {path.stem: path for path in (repository / "studies").glob("*.yaml")}
    assert files.keys() >= GUIDE
    for path in files.values():
        study = plan.study(path, definition.load(path), project)
        assert study.claims or study.definition.search
