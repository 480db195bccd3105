"""What the report takes over from the training stages."""

import json
from pathlib import Path

from thawline.evaluation import album
from thawline.training import curves, decision


def test_the_picture_of_a_stage_that_measured_is_copied(tmp_path: Path) -> None:
    training = {name: tmp_path / name for name in ("transfer_learn", "fine_tune")}
    for path in training.values():
        (path / decision.PICTURES).mkdir(parents=True)
    (training["fine_tune"] / decision.PICTURES / decision.PICTURE).write_bytes(b"picture")
    figures = tmp_path / "figures"
    figures.mkdir()
    (found,) = album.depths(figures, training)
    assert found.path.as_posix() == "figures/fine_tune_depth.png"
    assert (figures / "fine_tune_depth.png").read_bytes() == b"picture"
    assert len(list(figures.iterdir())) == 1


def test_decisions_say_that_a_training_was_thrown_away(tmp_path: Path) -> None:
    training = {name: tmp_path / name for name in ("transfer_learn", "fine_tune")}
    for best_epoch, (name, path) in enumerate(reversed(training.items())):
        path.mkdir()
        decision.given(name, "head", 0, from_scratch=False).write(path)
        (path / curves.FILE).write_text("epoch,val_macro_f1\n1,0.2\n")
        metrics = {"best_epoch": best_epoch, **dict.fromkeys(curves.SCORES, 0.76)}
        (path / "metrics.json").write_text(json.dumps(metrics))
    said = album.decisions(training)
    assert said["transfer_learn"].endswith("as params.yaml says")
    assert said["fine_tune"].endswith(
        "as params.yaml says; it kept the weights that it began with: their validation macro-F1 is "
        "0.760, and training reached 0.200"
    )
