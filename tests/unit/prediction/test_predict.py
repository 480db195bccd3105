"""What `thawline predict` says of files, good and bad."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import colours
from thawline.cli import predicting, results
from thawline.errors import UserError
from thawline.prediction import decoding
from thawline.prediction.listing import Bad
from thawline.prediction.model import Predictor
from thawline.prediction.predict import Prediction, predict
from thawline.prediction.writing import as_csv, as_json, as_table

COLOURS = {"red": (250, 9, 9), "green": (9, 250, 9), "blue": (9, 9, 250)}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return colours.write(tmp_path / "model")


def paint(path: Path, colour: str) -> str:
    Image.new("RGB", (30, 20), COLOURS[colour]).save(path, "PNG")
    return str(path)


def test_every_file_gets_its_classes_the_likeliest_first(tmp_path: Path, model: Path) -> None:
    files = [paint(tmp_path / f"{name}.png", name) for name in COLOURS]
    found = list(predict(files, Predictor(model), top_k=3))
    assert [one.name for one in found] == files
    for one, name in zip(found, COLOURS, strict=True):
        assert isinstance(one, Prediction)
        assert one.top[0][0] == name
        assert [p for _, p in one.top] == sorted((p for _, p in one.top), reverse=True)
        assert sum(p for _, p in one.top) == pytest.approx(1, abs=1e-5)


def test_bad_files_are_named_and_the_others_predicted(tmp_path: Path, model: Path) -> None:
    good = paint(tmp_path / "good.png", "red")
    whole = Path(good).read_bytes()
    bad = {"empty.png": b"", "text.jpg": b"hello", "half.png": whole[: len(whole) // 2]}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe.png")
    names = [*bad, "pipe.png", "absent.png", "good.png"]
    found = list(predict([str(tmp_path / n) for n in names] + ["a\0b"], Predictor(model)))
    good_ones = [one for one in found if isinstance(one, Prediction)]
    assert [one.name for one in good_ones] == [good]
    reasons = {Path(one.name).name: one.reason for one in found if isinstance(one, Bad)}
    assert set(reasons) == {*bad, "pipe.png", "absent.png", "a\0b"}
    assert reasons["absent.png"] == "cannot be read: No such file or directory"


def test_a_file_that_is_larger_than_any_image_is_not_read(tmp_path: Path, model: Path) -> None:
    with (tmp_path / "sparse.png").open("wb") as file:
        file.truncate(2**34)
    (found,) = predict([str(tmp_path / "sparse.png")], Predictor(model))
    assert isinstance(found, Bad)
    assert "at most" in found.reason


def test_any_number_of_processes_gives_the_same(tmp_path: Path, model: Path) -> None:
    rng = np.random.default_rng(0)
    names = rng.choice(list(COLOURS), decoding._POOL_FROM + 50)
    files: list[str | Bad] = [paint(tmp_path / f"{i}.png", c) for i, c in enumerate(names)]
    files.insert(7, Bad("before", "for some reason"))
    (tmp_path / "9.png").write_bytes(b"damaged")
    alone = list(predict(files, Predictor(model), processes=1))
    assert alone == list(predict(files, Predictor(model), processes=2))
    assert len(alone) == len(files)


def test_the_list_is_read_a_bounded_way_ahead(tmp_path: Path, model: Path) -> None:
    file, taken = paint(tmp_path / "a.png", "red"), 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield file

    for processes in (1, 2):
        taken = 0
        results = predict(endless(), Predictor(model), processes=processes)  # type: ignore[arg-type]
        next(iter(results))
        results.close()  # type: ignore[attr-defined]
        assert taken <= decoding._POOL_FROM + 3 * processes * decoding.BATCH


def test_a_damaged_model_is_one_message(tmp_path: Path, model: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere/model\.json: cannot be read"):
        Predictor(tmp_path / "nowhere")
    card = json.loads((model / "model.json").read_text())
    for change, message in (
        ({"classes": ["a", "b"]}, "model.json says 2 classes"),
        ({"image_size_px": 32}, "images of 32 px"),
        ({"fit": "squeeze"}, r"model\.json: fit: "),
    ):
        (model / "model.json").write_text(json.dumps(card | change))
        with pytest.raises(UserError, match=message):
            next(predict(["x.png"], Predictor(model)))
    (model / "model.json").write_text("{")
    with pytest.raises(UserError, match="the file: "):
        Predictor(model)
    (model / "model.json").write_text(json.dumps(card))
    (model / "model.onnx").write_bytes(b"no network")
    with pytest.raises(UserError, match="not a network"):
        next(predict(["x.png"], Predictor(model)))


NASTY = Prediction("=1+1\n\u202eb\udcff", (("@x\t", 0.75), ("b", 0.25)))


def test_names_are_escaped_in_tables_and_sheets_and_exact_in_json() -> None:
    out = io.StringIO()
    as_table(out, ("@x\t", "b"))(NASTY)
    assert out.getvalue() == " 75.0 %  @x\\t   25.0 %  b     =1+1\\n\\u202eb\\udcff\n"
    out = io.StringIO()
    as_csv(out)(NASTY)
    first, second = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert first["image"] == "'=1+1\\n\\u202eb\\udcff"
    assert (first["rank"], first["class"], first["probability"]) == ("1", "'@x\\t", "0.750000")
    assert second["class"] == "b"
    out = io.StringIO()
    as_json(out)(NASTY)
    assert out.getvalue().isascii()
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue())["image"] == NASTY.name


def test_the_command_ends_with_1_after_a_bad_file_and_names_it_on_stderr(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paint(tmp_path / "a\nb.png", "blue")
    (tmp_path / "bad\x1b.png").write_bytes(b"no")
    paths = [str(tmp_path / "a\nb.png")]
    assert predicting.run(paths, str(model), form="csv")
    assert not predicting.run([*paths, str(tmp_path / "bad\x1b.png")], str(model), form="json")
    out, err = capsys.readouterr()
    assert "bad\\x1b.png: not an image of a known format" in err
    assert out.count("blue") == 2
    with pytest.raises(UserError, match=r"--top-k: 4 is not allowed; 1 to 3"):
        predicting.run(paths, str(model), top_k=4)


def test_every_file_of_a_folder_is_predicted_named_or_counted(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    (folder / "@eaDir").mkdir(parents=True)
    for name in ("a.png", "b.jfif", "bare", "@eaDir/a.png"):
        paint(folder / name, "blue")
    (folder / "notes.txt").write_text("no image")
    assert predicting.run([str(folder)], str(model), form="csv")
    out, err = capsys.readouterr()
    assert out.count("blue") == 3
    assert err == "passed over: 1 x left by a system or a NAS; 1 x no image, .txt\n"
    (folder / "c.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    assert not predicting.run([str(folder)], str(model), form="csv")
    assert "c.heic: a HEIC file, which is not read\n1 file(s) skipped" in capsys.readouterr().err


def test_json_and_csv_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one of them"):
        results.predict(["x"], json=True, csv=True)
