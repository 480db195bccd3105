"""Rows that a model has learned from, recognised in another data set."""

from pathlib import Path

import numpy as np
import pytest

from tests import colours
from thawline.errors import UserError
from thawline.registry.training_fingerprint import TrainingFingerprint

SPLITS = ["train"] * 6 + ["val"] * 2 + ["test"] * 4 + ["unused"] * 2


def test_rows_are_known_by_their_pixels_wherever_they_lie(tmp_path: Path) -> None:
    manifest = colours.write_images(tmp_path / "one", SPLITS)
    seen = TrainingFingerprint.from_manifest(manifest)
    assert seen.knows(manifest, np.arange(14)).tolist() == [True] * 8 + [False] * 6
    anew = colours.write_images(tmp_path / "two", SPLITS[::-1])
    assert seen.knows(anew, anew.rows("test")).tolist() == [True] * 4
    assert not seen.knows(anew, np.arange(8, 14)).any()


def test_a_row_whose_group_was_seen_is_known(tmp_path: Path) -> None:
    groups = ["a", "b", None, None, None, None, "c", None, "b", "c", "d", None, None, None]
    first = colours.write_images(tmp_path / "one", SPLITS, groups=groups)
    other = colours.write_images(tmp_path / "two", SPLITS, groups=groups, seed=1)
    known = TrainingFingerprint.from_manifest(first).knows(other, other.rows("test"))
    assert known.tolist() == [True, True, False, False]


def test_it_comes_back_from_a_file_and_damage_is_one_message(tmp_path: Path) -> None:
    seen = TrainingFingerprint.from_manifest(colours.write_images(tmp_path, SPLITS))
    seen.write(tmp_path / "seen.npz")
    again = TrainingFingerprint.read(tmp_path / "seen.npz")
    assert again.rows.tolist() == seen.rows.tolist()
    assert again.groups.tolist() == []
    content = (tmp_path / "seen.npz").read_bytes()
    for damage in (b"", b"no archive", content[:50]):
        (tmp_path / "seen.npz").write_bytes(damage)
        with pytest.raises(UserError, match=r"seen\.npz: cannot be read"):
            TrainingFingerprint.read(tmp_path / "seen.npz")
