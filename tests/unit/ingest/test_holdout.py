"""A test set that was drawn anew: what is drawn, and what ingest makes of the list."""

from pathlib import Path

import numpy as np
import pytest

from tests import colours
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest.splits import holdout, holdout_draw
from thawline.ingest.splits.predefined_splits import Given
from thawline.ingest.splits.split import assign
from thawline.runtime import output_paths

SPLITS = ["train"] * 300 + ["val"] * 60 + ["test"] * 90
KEYS = [f"{row:064x}" for row in range(200)]
LABELS = np.arange(200) % 2


def split(given: list[str | None]) -> np.ndarray:
    return assign(
        KEYS, LABELS, ("a", "b"), seed=0, val_ratio=0.2, test_ratio=0.2,
        given=Given.from_rows(KEYS, given),
    )  # fmt: skip


def test_the_list_is_the_test_set_and_no_seen_row_gets_into_it() -> None:
    before = split([None] * 200)
    listed = frozenset(np.array(KEYS)[(before == "train")][:20])
    after = split(holdout.splits(listed, KEYS, KEYS, [None] * 200))
    assert {KEYS[row] for row in np.flatnonzero(after == "test")} == listed
    assert (after[before == "test"] == "train").all()
    assert (after[before == "val"] == "val").all()
    again = split(holdout.splits(listed, KEYS, KEYS, [None] * 200))
    assert (again == after).all()


def test_the_group_goes_along_and_given_validation_rows_stay() -> None:
    given = ["train", "test", "val", "train"]
    found = holdout.splits(frozenset({"2"}), ["g", "h", "i", "g"], ["1", "9", "3", "2"], given)
    assert found == ["test", "train", "val", "test"]


def test_it_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "holdout.csv"
    assert holdout.read(path) == frozenset()
    holdout.write(path, [("b, c.png", "b" * 64), ("a.png", "a" * 64)])
    assert path.read_text().splitlines()[1] == f"a.png,{'a' * 64}"
    assert holdout.read(path) == {"a" * 64, "b" * 64}
    holdout.write(path, [])
    assert holdout.read(path) == frozenset()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "row 1: expected the columns image,sha256"),
        ("name,hash\n", "row 1: expected the columns"),
        ("image,sha256\na,12\n", "row 2: expected an image and 64 hex digits"),
        (f"image,sha256\na,{'x' * 64}\n", "row 2"),
        ('image,sha256\n"a', "cannot be read"),
    ],
)
def test_what_is_no_such_table_is_one_message(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "holdout.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        holdout.read(path)


def test_images_that_are_not_there_are_refused() -> None:
    with pytest.raises(UserError, match="none of its images is in the source"):
        holdout.splits(frozenset({"f" * 64}), KEYS, KEYS, [None] * 200)


def data(folder: Path, groups: list[str | None] | None = None) -> Manifest:
    return colours.write_images(folder, SPLITS, groups=groups)


def test_as_many_of_each_class_as_before_by_a_hash(tmp_path: Path) -> None:
    manifest = data(tmp_path)
    fresh = np.zeros(450, dtype=bool)
    fresh[:260] = True
    rows = holdout_draw.draw(manifest, fresh, min_rows=50, seed=0)
    assert fresh[rows].all()
    drawn = np.bincount(manifest.labels[rows], minlength=3)
    there = np.bincount(manifest.labels[:260], minlength=3)
    assert drawn.tolist() == np.minimum(manifest.counts("test"), there).tolist()
    assert rows.tolist() == holdout_draw.draw(manifest, fresh, min_rows=50, seed=0).tolist()
    assert rows.tolist() != holdout_draw.draw(manifest, fresh, min_rows=50, seed=1).tolist()


def test_groups_are_drawn_whole(tmp_path: Path) -> None:
    groups: list[str | None] = [f"g{row // 5}" for row in range(450)]
    manifest = data(tmp_path, groups)
    rows = holdout_draw.draw(manifest, np.ones(450, dtype=bool), min_rows=50, seed=0)
    counts = np.bincount(rows // 5, minlength=90)
    assert set(counts.tolist()) == {0, 5}


def test_too_few_or_a_class_without_any_is_refused(tmp_path: Path) -> None:
    manifest = data(tmp_path)
    fresh = np.arange(450) < 20
    with pytest.raises(UserError, match=r"gate\.min_rows: 50; of the images .* \(20 in all\)"):
        holdout_draw.draw(manifest, fresh, min_rows=50, seed=0)
    with pytest.raises(UserError, match="no image that no model has seen of green; add labelled"):
        holdout_draw.draw(manifest, manifest.labels != 1, min_rows=10, seed=0)


def test_a_table_that_is_cut_while_it_is_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a part of its rows it would be another test set, and nobody would notice."""
    path, cell = tmp_path / "holdout.csv", output_paths.cell
    holdout.write(path, [("a.png", "a" * 64)])

    class Killed(BaseException):
        pass

    def killed(value: str) -> object:
        if value.startswith("c"):
            raise Killed
        return cell(value)

    monkeypatch.setattr(output_paths, "cell", killed)
    with pytest.raises(Killed):
        holdout.write(path, [(f"{name}.png", name * 64) for name in "bcd"])
    assert holdout.read(path) == {"a" * 64}
    assert [file.name for file in tmp_path.iterdir()] == ["holdout.csv"]
