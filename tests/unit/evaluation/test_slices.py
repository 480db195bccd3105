import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thawline.evaluation import slices


def test_a_bad_third_is_named_and_nothing_else() -> None:
    correct = np.ones(300, bool)
    correct[:40:2] = False
    found = slices.find(
        correct, {"brightness": np.arange(300.0), "group": np.tile(["a", "a", "b", "b"], 75)}
    )
    assert [s.value for s in found if s.worse] == ["0 to 99"]
    assert [s.num_images for s in found if s.column == "brightness"] == [100, 100, 100]
    for part in found:
        assert part.low <= part.accuracy <= part.high


@pytest.mark.slow
def test_chance_alone_seldom_makes_a_slice_worse() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        correct = rng.random(120) < 0.9
        named = {f"c{i}": rng.random(120) for i in range(5)}
        alarms += any(s.worse for s in slices.find(correct, named))
    assert alarms <= 0.05 * 200 + 7


def test_equal_numbers_stay_together_and_one_value_is_no_slice() -> None:
    correct = np.ones(60, bool)
    found = slices.find(correct, {"width_px": np.repeat([8, 32], 30), "height_px": np.full(60, 8)})
    assert [(s.value, s.num_images) for s in found] == [("8 to 8", 30), ("32 to 32", 30)]


def manifest(folder: Path, **columns: list[object]) -> Path:
    path = folder / "manifest.parquet"
    known = {"label": [0, 1] * 20, "class": ["x", "y"] * 20, "split": ["test"] * 40}
    pq.write_table(pa.table({**known, "sha256": [""] * 40, **columns}), path)
    return path


def test_any_column_of_the_manifest_is_a_slice_but_the_class(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        name=[f"{'xy'[i % 2]}/{i}.png" for i in range(40)],
        camera=["old", "old", "new", None] * 10,
        width_px=list(range(40)),
    )
    labels = np.array([0, 1] * 20)
    found = slices.columns(path, np.arange(40), labels, np.zeros(40))
    assert list(found) == ["brightness", "camera", "width_px"]
    assert set(found["camera"].tolist()) == {"old", "new", ""}


def test_names_of_strangers_are_written_out(tmp_path: Path) -> None:
    found = slices.find(np.ones(40, bool), {"g\n": np.array(["a\u202e", "b"] * 20)})
    slices.write(tmp_path / "slices.csv", found)
    with (tmp_path / "slices.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["part"] for row in rows] == [r"a\u202e", "b"]
    assert rows[0]["column"] == r"g\n"


def test_brightness_is_the_mean_of_the_pixels() -> None:
    batches = [np.full((2, 4, 4, 3), 10, np.uint8), np.full((1, 4, 4, 3), 200, np.uint8)]
    assert slices.brightness(iter(batches)).tolist() == [10, 10, 200]
