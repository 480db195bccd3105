"""Conflicts and near copies, from the walk to the manifest."""

from array import array
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages import ingest
from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest import collect as walk
from thawline.ingest import ingest_summary
from thawline.ingest.decided import AUTO, KEYS
from thawline.ingest.deciding import decide, sentences
from thawline.ingest.dedup import label_conflicts as disputed
from thawline.ingest.dedup import phash_index
from thawline.ingest.dedup.resolve import Resolved, resolve
from thawline.ingest.items import Item
from thawline.ingest.packing.packing import Geometry, pack
from thawline.ingest.splits.divide import divide
from thawline.ingest.splits.grouping import Grouping
from thawline.ingest.survey import Survey
from thawline.params import params_file

CLASSES = ("cat", "dog")
RATIOS = {"val_ratio": 0.2, "test_ratio": 0.2}


def scene(seed: int, size: int = 64) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)


def item(name: str, seed: int, label: int, size: int = 64, split: str | None = None) -> Item:
    return Item(name=name, label=label, payload=scene(seed, size), split=split)


BASE = [item(f"base/{k}", k, k % 2) for k in range(80)]


def run(
    folder: Path,
    items: list[Item],
    how: str = "drop",
    distance: int | None = None,
    group_by: str | None = None,
) -> tuple[walk.Collected, Resolved, Manifest]:
    with StoreWriter(folder, 16) as writer:
        packed = pack(items, Geometry(image_size_px=16, fit="crop", background=(0, 0, 0)), 1)
        found = walk.collect(packed, writer, CLASSES)
    if group_by:
        walk.regroup(found, Grouping(group_by))
    resolved = resolve(
        found.packed, found.conflicts, ImageStore(folder),
        conflicts=how, near_distance=distance, seed=0, **RATIOS,
    )  # fmt: skip
    manifest = divide(found, CLASSES, seed=0, imbalance_ratio=None, resolved=resolved, **RATIOS)
    return found, resolved, manifest


def place(manifest: Manifest) -> dict[str, str]:
    return dict(zip(manifest.names, manifest.splits.tolist(), strict=True))


def test_equal_pixels_under_two_labels_are_dropped(tmp_path: Path) -> None:
    found, resolved, manifest = run(tmp_path, [*BASE, item("again", 4, 1), item("same", 6, 0)])
    assert len(manifest) == 80
    assert place(manifest)["base/4"] == "unused"
    assert list(place(manifest).values()).count("unused") == 1
    assert disputed.table(resolved.conflicts, CLASSES, set(resolved.left_out)) == [
        ("base/4", "cat", "again", "dog", 0, "left out")
    ]
    assert ingest_summary.quarantine_rows(found, resolved) == [
        ("again", "duplicate of base/4 (there labelled 'cat')"),
        ("same", "duplicate of base/6"),
        ("base/4", "conflict: another label than its copy again"),
    ]
    counts = ingest_summary.summary(
        found, manifest, ingest_summary.account_for(found, {}), resolved
    )
    assert (counts["conflicts"], counts["left_out"], counts["duplicates"]) == (1, 1, 2)


def test_the_first_label_may_be_kept(tmp_path: Path) -> None:
    _, alone, before = run(tmp_path / "a", BASE)
    _, resolved, manifest = run(tmp_path / "b", [*BASE, item("again", 4, 1)], "keep_first")
    assert (len(alone.conflicts), len(resolved.conflicts), resolved.left_out) == (0, 1, {})
    assert place(manifest) == place(before)
    assert manifest.labels[4] == 0


def test_a_conflict_may_be_an_error(tmp_path: Path) -> None:
    run(tmp_path / "a", BASE, "error")
    with pytest.raises(UserError) as caught:
        run(tmp_path / "b", [*BASE, item("ag\nain\u202e", 4, 1)], "error")
    text = str(caught.value)
    assert all(word in text for word in ("ingest.conflicts", "1 picture", "base/4", "drop"))
    assert text.isprintable()


def test_resized_copies_share_a_split_when_looked_for(tmp_path: Path) -> None:
    copies = [item(f"copy/{k}", k, k % 2, 150) for k in range(40)]
    _, resolved, manifest = run(tmp_path / "a", [*BASE, *copies], distance=4)
    assert len(resolved.links) == 40
    assert resolved.left_out == {}
    splits = place(manifest)
    assert all(splits[f"copy/{k}"] == splits[f"base/{k}"] for k in range(40))
    _, _, before = run(tmp_path / "b", BASE, distance=4)
    assert {name: splits[name] for name in before.names} == place(before), "an old row moved"
    _, apart, scattered = run(tmp_path / "c", [*BASE, *copies])
    assert not apart.links
    there = place(scattered)
    assert any(there[f"copy/{k}"] != there[f"base/{k}"] for k in range(40)), "nothing to prevent"


@pytest.mark.parametrize(
    ("how", "unused"), [("drop", {"base/4", "copy"}), ("keep_first", {"copy"})]
)
def test_a_near_copy_under_another_label(tmp_path: Path, how: str, unused: set[str]) -> None:
    items = [*BASE, item("copy", 4, 1, 150)]
    _, resolved, manifest = run(tmp_path, items, how, 4)
    assert {name for name, split in place(manifest).items() if split == "unused"} == unused
    assert {c.image for c in resolved.conflicts} == {"base/4", "copy"}
    _, off, _ = run(tmp_path / "off", items, how)
    assert off.conflicts == []


def test_a_near_copy_of_a_given_test_image_leaves_training(tmp_path: Path) -> None:
    given = [item(f"{k}", k, k % 2, split=("train", "val", "test")[k // 2 % 3]) for k in range(60)]
    copy = item("copy", 4, 0, 150, split="train")
    found, resolved, manifest = run(tmp_path, [*given, copy], distance=4)
    assert place(manifest)["4"] == "test"
    assert place(manifest)["copy"] == "unused"
    ((name, reason),) = ingest_summary.quarantine_rows(found, resolved)
    assert name == "copy"
    assert "test (4)" in reason
    assert "train (its own" in reason


def test_groups_are_read_from_names(tmp_path: Path) -> None:
    items = [item(f"x/patient{k // 4}/{k}.png", k, k % 2) for k in range(80)]
    _, _, manifest = run(tmp_path, [*items, item("alone", 99, 0)], group_by=r"(patient\d+)")
    assert manifest.groups[:5] == ("patient0",) * 4 + ("patient1",)
    assert manifest.groups[80] is None
    for start in range(0, 80, 4):
        assert len(set(manifest.splits[start : start + 4])) == 1
    assert len(set(manifest.splits.tolist())) == 3


def test_a_group_of_the_source_stands(tmp_path: Path) -> None:
    with StoreWriter(tmp_path, 16) as writer:
        items = [
            Item(name=f"p{k}", label=0, payload=scene(k), group="own" if k else None)
            for k in range(2)
        ]
        packed = pack(items, Geometry(image_size_px=16, fit="crop", background=(0, 0, 0)), 2)
        found = walk.collect(packed, writer, CLASSES)
    assert walk.regroup(found, Grouping("(p.)")) == 0
    assert [p.group for p in found.packed] == ["p0", "own"]


@pytest.mark.parametrize("auto", [True, False])
def test_too_many_near_copies_stop_only_who_asked_for_them(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    auto: bool,
) -> None:
    monkeypatch.setattr(phash_index, "MAX_PAIRS", 3)
    checked = params_file.load(repository / "params.yaml")
    wanted = dict.fromkeys(KEYS, AUTO) | ({} if auto else {"near_duplicate_distance": 4})
    sides = np.full(9, 64)
    decided = decide(
        wanted, lambda: Survey(widths=sides, heights=sides, num_alpha=0, colours=()), 9
    )
    copies = [item(f"copy/{k}", 0, 0, 100 + k) for k in range(9)]
    found, _, _ = run(tmp_path, [*BASE, *copies])
    found.packed._hashes = array("Q", [1 << (k % 60) for k in range(len(found.packed))])
    if not auto:
        with pytest.raises(phash_index.TooManyPairsError, match="near_duplicate_distance: 4"):
            ingest._resolved(checked, decided, found, tmp_path)
        return
    after, resolved = ingest._resolved(checked, decided, found, tmp_path)
    assert after.near_duplicate_distance is None
    assert resolved.links == []
    assert sentences(after)[-1].startswith("near copies not looked for (auto: more than 3 pairs")
