"""The tables survive a round trip, and equal tables are equal files."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from thawline.dataset.manifest import Manifest
from thawline.dataset.rows import Rows
from thawline.runtime.output_paths import MANIFEST

CLASSES = ("äpfel", "a, \"b\"\n'c'", "🍐")


def manifest(splits: tuple[str, ...] = ("train", "val", "test", "unused", "train")) -> Manifest:
    count = len(splits)
    return Manifest(
        classes=CLASSES,
        labels=np.arange(count) % 3,
        splits=np.array(splits),
        sha256=tuple(f"{index:064x}" for index in range(count)),
        names=tuple(f"folder/ü {index}\n.png" for index in range(count)),
        groups=tuple(None if index % 2 else f"patient {index}" for index in range(count)),
        widths=np.arange(count) + 1,
        heights=np.arange(count) + 20_000,
    )


def test_a_manifest_survives_a_round_trip(tmp_path: Path) -> None:
    written = manifest()
    written.write(tmp_path)
    read = Manifest.read(tmp_path)
    for name, value in written.__dict__.items():
        other = getattr(read, name)
        assert np.array_equal(value, other) if isinstance(value, np.ndarray) else value == other
    assert read.labels.dtype == np.int64


def test_equal_manifests_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    manifest().write(tmp_path / "a")
    Manifest.read(tmp_path / "a").write(tmp_path / "b")
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()


def test_the_file_can_be_read_without_this_code(tmp_path: Path) -> None:
    manifest().write(tmp_path)
    table = pq.read_table(tmp_path / MANIFEST).to_pydict()
    assert table["class"][:3] == list(CLASSES)
    assert table["split"] == ["train", "val", "test", "unused", "train"]


def test_rows_of_a_split_ascend_and_splits_cover_everything() -> None:
    table = manifest()
    assert table.rows("train").tolist() == [0, 4]
    rows = np.concatenate([table.rows(split) for split in ("train", "val", "test", "unused")])
    assert sorted(rows.tolist()) == list(range(len(table)))


def test_counts_name_every_class() -> None:
    assert manifest().counts("train").tolist() == [1, 1, 0]
    assert manifest().counts("val").tolist() == [0, 1, 0]


@settings(max_examples=30, deadline=None)
@given(
    indices=st.lists(st.integers(0, 10**6), max_size=50),
    weights=st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20),
)
def test_rows_survive_a_round_trip_to_the_bit(
    tmp_path_factory: object, indices: list[int], weights: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("rows")  # type: ignore[attr-defined]
    written = Rows(indices=np.array(sorted(indices), np.int64), class_weights=np.array(weights))
    written.write(folder / "new" / "a.parquet")
    read = Rows.read(folder / "new" / "a.parquet")
    assert np.array_equal(read.indices, written.indices)
    assert np.array_equal(read.class_weights, written.class_weights)
    assert (read.indices.dtype, read.class_weights.dtype) == (np.int64, np.float64)
    read.write(folder / "b.parquet")
    assert (folder / "new" / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()


def test_the_digest_is_of_pixels_labels_and_splits() -> None:
    first = manifest()
    rows = list(zip(first.sha256, first.labels.tolist(), first.splits.tolist(), strict=True))
    whole = json.dumps([CLASSES, rows]).encode()
    assert first.digest() == hashlib.sha256(whole).hexdigest()[:32]
    assert manifest(("val", *["train"] * 4)).digest() != first.digest()
