"""A walk keeps each different image once and stops when too much is unusable."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest import collect as walk
from thawline.ingest import ingest_summary
from thawline.ingest.items import Item, Reject
from thawline.ingest.packing.packing import Geometry, pack
from thawline.ingest.splits.divide import divide

CLASSES = ("cat", "dog")
RATIOS = {"val_ratio": 0.2, "test_ratio": 0.2, "imbalance_ratio": None}


def image(value: int) -> np.ndarray:
    return np.full((16, 16, 3), value, np.uint8)


def item(name: str, value: int, label: int = 0, group: str | None = None) -> Item:
    return Item(name=name, label=label, payload=image(value), group=group)


@pytest.fixture
def collect(tmp_path: Path) -> object:
    geometry = Geometry(image_size_px=16, fit="letterbox", background=(0, 0, 0))

    def collected(items: list[Item | Reject]) -> walk.Collected:
        with StoreWriter(tmp_path, 16) as writer:
            return walk.collect(pack(items, geometry, len(items)), writer, CLASSES)

    return collected


def test_the_store_has_the_rows_in_order(collect, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found = collect([item("a", 5), Reject(name="b", reason="bad"), item("c", 9, 1), item("d", 7)])
    store = ImageStore(tmp_path)
    assert [p.item_name for p in found.packed] == ["a", "c", "d"]
    assert store[0].max() == 5
    assert [int(store[row].max()) for row in range(len(store))] == [5, 9, 7]
    assert found.num_seen == 4
    assert all(p.pixels.size == 0 for p in found.packed), "pixels are kept in memory"


def test_a_duplicate_is_listed_and_left_out(collect, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found = collect([item("a", 5), item("again", 5), item("c", 9)])
    assert len(ImageStore(tmp_path)) == 2
    assert ingest_summary.quarantine_rows(found) == [("again", "duplicate of a")]
    assert found.num_duplicates == 1


def test_a_duplicate_of_another_class_says_so(collect) -> None:  # type: ignore[no-untyped-def]
    found = collect([item("a", 5, 0), item("again", 5, 1)])
    assert ingest_summary.quarantine_rows(found) == [
        ("again", "duplicate of a (there labelled 'cat')")
    ]


def test_quarantine_lines_are_printable(collect) -> None:  # type: ignore[no-untyped-def]
    found = collect([Reject(name="a\n\u202eb\x1b[31m\udce9", reason="x\ny")])
    assert all(
        part.isprintable() for line in ingest_summary.quarantine_rows(found) for part in line
    )


def bad(count: int) -> list[Item | Reject]:
    reasons = ["empty file", "empty file", "damaged: cut"]
    return [Reject(name=f"bad {i}\n", reason=reasons[i % 3]) for i in range(count)]


def test_a_few_bad_files_are_allowed(collect) -> None:  # type: ignore[no-untyped-def]
    found = collect([*bad(1), *(item(f"{v}", v) for v in range(9))])
    walk.check_rejects(found, 0.1)


def test_too_many_bad_files_name_the_reasons(collect) -> None:  # type: ignore[no-untyped-def]
    found = collect([*bad(3), *(item(f"{v}", v) for v in range(7))])
    with pytest.raises(UserError) as caught:
        walk.check_rejects(found, 0.1)
    text = str(caught.value)
    assert text.isprintable()
    for part in ("ingest.max_bad_ratio", "3 of 10", "0.1", "2 x empty file", "1 x damaged: cut"):
        assert part in text


def test_it_stops_as_soon_as_too_many_files_are_bad(tmp_path: Path) -> None:
    """And names the first with its row, the others without."""
    drawn = 0

    def rows() -> Iterator[Reject]:
        nonlocal drawn
        for drawn in range(1, 101):
            yield Reject(name=f"{drawn}.png", reason=f"row {drawn + 1}: cannot be read: gone")

    with pytest.raises(UserError) as caught, StoreWriter(tmp_path, 16) as writer:
        walk.collect(rows(), writer, CLASSES, max_bad_ratio=0.1, num_items=100)
    assert drawn == 11
    assert str(caught.value) == (
        "ingest.max_bad_ratio: 11 of 100 files (0.110) cannot be used, and that may not be all; "
        "allowed: 0.1. 11 x cannot be read: gone. First: '1.png': row 2: cannot be read: gone"
    )


def test_as_many_bad_files_as_allowed_do_not_stop_it(tmp_path: Path) -> None:
    with StoreWriter(tmp_path, 16) as writer:
        found = walk.collect(iter(bad(10)), writer, CLASSES, max_bad_ratio=0.1, num_items=100)  # type: ignore[arg-type]
    assert found.num_bad == 10


def test_duplicates_are_not_bad_files(collect) -> None:  # type: ignore[no-untyped-def]
    walk.check_rejects(collect([item(f"{i}", 5) for i in range(10)]), 0.0)


def test_an_empty_source_is_not_too_bad(collect) -> None:  # type: ignore[no-untyped-def]
    walk.check_rejects(collect([]), 0.0)


def full(collect, **options: object) -> Manifest:  # type: ignore[no-untyped-def]
    found = collect([item(f"n{v}", v, v % 2, f"g{v // 4}") for v in range(200)])
    return divide(found, CLASSES, **{"seed": 0, **RATIOS, **options})


def test_the_manifest_follows_the_walk(collect) -> None:  # type: ignore[no-untyped-def]
    manifest = full(collect)
    assert manifest.names == tuple(f"n{v}" for v in range(200))
    assert manifest.labels.tolist() == [v % 2 for v in range(200)]
    assert set(manifest.widths.tolist()) == {16}


def test_groups_share_a_split(collect) -> None:  # type: ignore[no-untyped-def]
    manifest = full(collect)
    for start in range(0, 200, 4):
        assert len(set(manifest.splits[start : start + 4])) == 1


def test_names_that_are_not_unicode_are_stored_escaped(collect, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found = collect([item(f"caf\udce9 {v}", v, v % 2) for v in range(20)])
    manifest = divide(found, CLASSES, seed=0, **RATIOS)
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path).names[0] == "caf\\udce9 0"


def test_summary_and_distribution_add_up(collect) -> None:  # type: ignore[no-untyped-def]
    found = collect([*bad(2), *(item(f"n{v}", v % 200, v % 2) for v in range(210))])
    manifest = divide(found, CLASSES, seed=0, **RATIOS)
    account = ingest_summary.account_for(found, {"hidden": 1, "no image, .txt": 3})
    counts = ingest_summary.summary(found, manifest, account)
    assert counts["files_seen"] == 200 + 10 + 2 + 4
    assert (counts["passed_over_hidden"], counts["passed_over_no_image"]) == (1, 3)
    assert counts["train"] + counts["val"] + counts["test"] == counts["images"] == 200
    assert (counts["quarantined"], counts["duplicates"], counts["ignored_files"]) == (2, 10, 4)
    table = ingest_summary.distribution(manifest)
    assert len(table) == 6
    assert sum(number for _, _, number in table) == 200


def test_a_long_tail_is_made_of_training_rows_only(collect) -> None:  # type: ignore[no-untyped-def]
    whole, tailed = full(collect), full(collect, imbalance_ratio=5)
    assert np.array_equal(whole.rows("test"), tailed.rows("test"))
    assert np.array_equal(whole.rows("val"), tailed.rows("val"))
    sizes = tailed.counts("train")
    assert sizes[0] / sizes[1] == pytest.approx(5, rel=0.2)
