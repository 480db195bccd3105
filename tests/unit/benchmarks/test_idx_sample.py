"""Rows that a sample of an IDX set takes."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.idx_sample import drawn, main
from tests.unit.ingest.sources.test_idx_source import images_file, labels_file
from thawline.ingest.sources import idx


@pytest.mark.parametrize("number", [10, 97, 1000])
def test_each_class_keeps_its_share(number: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [700, 200, 90, 10]))
    rows = drawn(labels, number, np.random.default_rng(1))
    assert len(set(rows.tolist())) == number
    assert (np.diff(rows) > 0).all()
    share = np.bincount(labels[rows], minlength=4) / number
    assert np.abs(share - [0.7, 0.2, 0.09, 0.01]).max() <= 1 / number
    assert rows.tolist() == drawn(labels, number, np.random.default_rng(1)).tolist()


@pytest.fixture
def fifty(tmp_path: Path) -> Path:
    """A folder with 50 rows to train on and 50 to test."""
    folder = tmp_path / "whole"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for part in ("train", "t10k"):
        images = rng.integers(0, 256, (50, 4, 6), dtype=np.uint8)
        labels = np.arange(50, dtype=np.uint8) % 5
        for kind, data in (
            ("images-idx3", images_file(images)), ("labels-idx1", labels_file(labels))
        ):  # fmt: skip
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(data))
    return folder


def sample(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["idx_sample", *map(str, words)])
    main()


def test_writes_a_set_that_ingest_reads(
    fifty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample(monkeypatch, fifty, tmp_path / "less", "--train", 20, "--test", 5)
    whole = {np.asarray(item.payload).tobytes(): item.label for item in idx.read(fifty).items}
    items = list(idx.read(tmp_path / "less").items)
    assert [item.split for item in items] == ["train"] * 20 + ["test"] * 5
    assert all(whole[np.asarray(item.payload).tobytes()] == item.label for item in items)


@pytest.mark.parametrize(
    ("source", "train", "said"),
    [("nowhere", 20, "nowhere"), ("whole", 51, "--train: 51; allowed: 1 to 50")],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(
    source: str,
    train: int,
    said: str,
    fifty: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SystemExit, match=said):
        sample(monkeypatch, fifty.parent / source, tmp_path / "less", "--train", train, "--test", 5)
    assert not (tmp_path / "less").exists()
