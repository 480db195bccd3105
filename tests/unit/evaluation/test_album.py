"""What the report takes over from the training stages."""

from pathlib import Path

from thawline.evaluation import album
from thawline.training import decision


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
