"""`thawline monitor` on folders of images."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from tests import colours
from thawline.cli import monitoring
from thawline.cost.ort_session import session
from thawline.errors import UserError
from thawline.monitoring.sample import draw, measure

SPLITS = ["train"] * 10 + ["val"] * 120 + ["test"] * 10


@pytest.fixture
def workspace(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    yaml = YAML()
    params = yaml.load((repository / "params.yaml").read_text(encoding="utf-8"))
    params["ingest"].update(image_size_px=16, fit="stretch")
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    colours.write_images(tmp_path / "data/ingest", SPLITS)
    colours.write(tmp_path / "models/compress", size_px=16)
    return tmp_path


def paint(folder: Path, number: int, low: int, high: int) -> str:
    folder.mkdir()
    for row, colour in enumerate(np.random.default_rng(7).integers(low, high, (number, 3))):
        Image.new("RGB", (20, 20), tuple(map(int, colour))).save(folder / f"{row}.png")
    return str(folder)


def test_images_like_the_old_ones_are_no_drift(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = paint(workspace / "new", 100, 0, 256)
    (workspace / "new" / "bad.png").write_bytes(b"no")
    assert not monitoring.run([folder])
    out, err = capsys.readouterr()
    assert "**No drift found.** 100 new images (100 seen, 1 unusable)" in out
    assert "bad.png: not an image of a known format" in err
    assert not monitoring.run([folder])
    assert capsys.readouterr().out == out  # the same twice


def test_darker_images_are(workspace: Path) -> None:
    folder = paint(workspace / "new", 100, 0, 90)
    assert monitoring.run([folder], output=workspace / "report.md")
    text = (workspace / "report.md").read_text(encoding="utf-8")
    assert text.splitlines()[2].startswith("**Drift** in ")
    assert "brightness" in text.splitlines()[2]
    assert "sharpness" not in text.splitlines()[2]
    assert "| brightness | Kolmogorov-Smirnov distance |" in text


def test_another_mix_of_classes_is(workspace: Path) -> None:
    folder = paint(workspace / "new", 200, 0, 256)
    for file in (workspace / "new").iterdir():
        if Image.open(file).getpixel((0, 0))[2] > 100:  # type: ignore[index]
            file.unlink()
    assert monitoring.run([folder], output=workspace / "report.md")
    text = (workspace / "report.md").read_text(encoding="utf-8")
    assert "**Drift** in predicted classes" in text
    assert "| blue | 3" in text


def test_mistakes_are_one_message(workspace: Path) -> None:
    with pytest.raises(UserError, match="29 new and 120 validation images; at least 30 of each"):
        monitoring.run([paint(workspace / "few", 29, 0, 256)])
    colours.write(workspace / "other", size_px=32)
    with pytest.raises(UserError, match="takes images of 32 px, stretch; data/ingest holds 16 px"):
        monitoring.run(["few"], "other")
    colours.write(workspace / "other", size_px=16, classes=("a", "b", "c"))
    with pytest.raises(UserError, match="other classes"):
        monitoring.run(["few"], "other")
    shutil.rmtree(workspace / "data")
    with pytest.raises(UserError, match=r"manifest\.parquet: not there"):
        monitoring.run(["few"])


def test_a_sample_of_a_long_stream_is_bounded_and_fair(workspace: Path) -> None:
    network = session(workspace / "models/compress/model.onnx", 1)
    grey = np.arange(256, dtype=np.uint8)
    stream = [np.broadcast_to(value, (2, 16, 16, 3)).copy() for value in grey]
    sample = draw(stream, network, np.random.default_rng(0), limit=100)
    assert (len(sample), sample.num_seen) == (100, 512)
    assert abs(sample.looks[:, 0].mean() - 127.5) < 25  # three standard errors


def test_statistics_are_what_their_names_say() -> None:
    flat = np.full((1, 16, 16, 3), 100, dtype=np.uint8)
    red = flat.copy()
    red[..., 0] = 250
    noise = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 1), dtype=np.uint8).repeat(3, 3)
    found = measure(np.concatenate([flat, red, noise]))
    assert found[0] == pytest.approx([100, 0, 0, 0])
    assert found[1, 3] == 150
    assert found[2, 1] > 50
    assert found[2, 2] > 1000


def test_images_that_the_last_fit_had_are_not_compared_with(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = workspace / "models/compress/model.json"
    card.write_text(card.read_text().replace("{", '{"refit": true,', 1), encoding="utf-8")
    with pytest.raises(UserError, match="100 new and 10 test images"):
        monitoring.run([paint(workspace / "new", 100, 0, 256)])


def test_where_to_write_is_checked_before_the_work(workspace: Path) -> None:
    (workspace / "reports").mkdir(exist_ok=True)
    for output, why in (("nowhere/report.md", "its folder does not"), ("reports", "is a folder")):
        with pytest.raises(UserError, match=f"--output: {output}: {why}"):
            monitoring.run([str(workspace / "no images")], output=Path(output))


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = paint(workspace / "new", 100, 0, 90)
    old = workspace / "report.md"
    old.write_text("old")

    def full(path: Path, text: str, **_: object) -> int:
        with path.open("w") as file:
            file.write(text[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        monitoring.run([folder], output=old)
    assert old.read_text() == "old"
    assert not list(workspace.glob(".report*"))


def test_a_report_may_go_to_a_device(workspace: Path) -> None:
    folder = paint(workspace / "new", 100, 0, 90)
    assert monitoring.run([folder], output=Path("/dev/null"))
    assert not Path("/dev/null").is_file()
