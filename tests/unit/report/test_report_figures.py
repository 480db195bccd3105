"""What the report shows of the training stages, by what they recorded."""

import json
from dataclasses import replace
from pathlib import Path

from thawline.features.layer_profile import BlockScore, GroupScore, HeadFit, Profile
from thawline.report import report_figures
from thawline.training import curves, freeze_decision, trained_blocks
from thawline.training.trained_blocks import Block

CLOSED_FORM = HeadFit(
    chosen=GroupScore(blocks=("stage1 2x2",), num_features=96, accuracy=0.9, squared_error=0.2),
    tried=(
        GroupScore(blocks=("stage1 2x2",), num_features=96, accuracy=0.9, squared_error=0.2),
        GroupScore(
            blocks=("stage1 1x1", "tail 1x1"), num_features=9, accuracy=0.8, squared_error=1.0
        ),
    ),
    augmented=True, augmented_accuracy=0.9, penalty=0.1, accuracy=0.9, error=0.01, nll=0.3,
    num_rows=1000, temperature=0.1,
)  # fmt: skip


def stages(tmp_path: Path, num_epochs: dict[str, int]) -> dict[str, Path]:
    """What stages record that train for so many epochs, or solve their head in none."""
    training = {name: tmp_path / name for name in num_epochs}
    for name, path in training.items():
        path.mkdir()
        given = freeze_decision.given(name, "head", 0, from_scratch=False)
        head = None if num_epochs[name] else CLOSED_FORM
        replace(given, head=head, outcome="").write(path)
        keys = ("train_loss", *curves.SCORES, "learning_rate")
        lines = [",".join(("epoch", *keys))]
        lines += [",".join((str(i + 1), *["0.5"] * len(keys))) for i in range(num_epochs[name])]
        (path / curves.FILE).write_text("\n".join(lines) + "\n")
        metrics = {"best_epoch": num_epochs[name], **dict.fromkeys(curves.SCORES, 0.76)}
        (path / "metrics.json").write_text(json.dumps(metrics))
    return training


def test_a_stage_without_epochs_has_no_curves_but_its_head(tmp_path: Path) -> None:
    training = stages(tmp_path, {"transfer_learn": 0, "fine_tune": 3})
    ((title, drawn),) = report_figures.epochs(training).values()
    assert title == "Training curves"
    assert {axis.get_title("left") for axis in drawn.axes} - {""} == {"fine_tune"}
    ((name, (title, head)),) = report_figures.heads(training).items()
    assert name == "transfer_learn_head"
    shown = [text.get_text() for axis in head.axes for text in axis.get_yticklabels()]
    assert shown == ["stage1 2x2", "stage1 1x1 to tail 1x1"], "what was tried"


def test_without_any_epochs_there_is_no_picture_of_them(tmp_path: Path) -> None:
    training = stages(tmp_path, {"transfer_learn": 0, "fine_tune": 0})
    assert report_figures.epochs(training) == {}
    assert set(report_figures.decisions(training)) == set(training)


def test_a_decision_ends_with_what_became_of_the_training(tmp_path: Path) -> None:
    training = stages(tmp_path, {"fine_tune": 3})
    given = freeze_decision.given("fine_tune", "all", 0, from_scratch=False)
    replace(given, outcome="keeps the start: no gain").write(training["fine_tune"])
    assert report_figures.decisions(training)["fine_tune"].endswith(
        "as params.yaml says; keeps the start: no gain"
    )


def test_a_stage_that_measured_is_drawn(tmp_path: Path) -> None:
    training = {name: tmp_path / name for name in ("transfer_learn", "fine_tune")}
    for name, path in training.items():
        freeze_decision.given(name, "head", 0, from_scratch=False).write(path)
    score = BlockScore(block="a", num_features=4, accuracy=0.9, error=0.01, logme=0.1)
    scores = (score, replace(score, block="b"))
    profile = Profile(scores=scores, split="train", num_rows=10, num_classes=2)
    freeze_decision.by_profile("fine_tune", profile).write(training["fine_tune"])
    ((name, (title, drawn)),) = report_figures.depths(training).items()
    assert (name, title) == ("fine_tune_depth", "Depth, fine_tune")
    assert [tick.get_text() for tick in drawn.axes[1].get_xticklabels()] == ["a", "b"]


def test_the_blocks_of_each_stage_are_drawn(tmp_path: Path) -> None:
    training = {name: tmp_path / name for name in ("transfer_learn", "fine_tune")}
    for path in training.values():
        trained_blocks.write(path, [Block("stem", 9, 0), Block("head", 4, 4)])
    found = report_figures.trained(tmp_path / "figures", training)
    names = [f"figures/{name}_blocks.svg" for name in training]
    assert [picture.path.as_posix() for picture in found] == names
    assert all("frozen" in (tmp_path / name).read_text(encoding="utf-8") for name in names)


def test_decisions_say_that_a_training_was_thrown_away(tmp_path: Path) -> None:
    training = {name: tmp_path / name for name in ("transfer_learn", "fine_tune")}
    for best_epoch, (name, path) in enumerate(reversed(training.items())):
        path.mkdir()
        freeze_decision.given(name, "head", 0, from_scratch=False).write(path)
        (path / curves.FILE).write_text("epoch,val_macro_f1\n1,0.2\n")
        metrics = {"best_epoch": best_epoch, **dict.fromkeys(curves.SCORES, 0.76)}
        (path / "metrics.json").write_text(json.dumps(metrics))
    said = report_figures.decisions(training)
    assert said["transfer_learn"].endswith("as params.yaml says")
    assert said["fine_tune"].endswith(
        "as params.yaml says; it kept the weights that it began with: their validation macro-F1 is "
        "0.760, and training reached 0.200"
    )
