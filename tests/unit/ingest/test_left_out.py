"""A class with too few different images: where the others went, and a likely cause."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest import collect as walk
from thawline.ingest.dedup.resolve import resolve
from thawline.ingest.items import Source
from thawline.ingest.packing.packing import Geometry, pack
from thawline.ingest.sources import folder
from thawline.ingest.splits.divide import divide

Draw = Callable[[int, int], Image.Image]
RATIOS = {"seed": 0, "val_ratio": 0.15, "test_ratio": 0.2}
CLASSES = ("ant", "bee", "cat")


def noise(label: int, number: int) -> Image.Image:
    pixels = np.random.default_rng([label, number]).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def save(root: Path, names: tuple[str, ...] = CLASSES, count: int = 6, draw: Draw = noise) -> Path:
    for label, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for k in range(count):
            draw(label, k).save(root / name / f"{k}.png")
    return root


def divided(source: Source, store: Path, conflicts: str = "drop") -> Manifest:
    """What ingest does with a source, without looking for near copies."""
    geometry = Geometry(image_size_px=16, fit="stretch", background=(0, 0, 0))
    with StoreWriter(store, 16) as writer:
        found = walk.collect(pack(source.items, geometry, source.num_items), writer, source.classes)
    resolved = resolve(
        found.packed, found.conflicts, ImageStore(store),
        conflicts=conflicts, near_distance=None, **RATIOS,
    )  # fmt: skip
    return divide(found, source.classes, imbalance_ratio=None, resolved=resolved, **RATIOS)


def refused(source: Source, store: Path) -> str:
    with pytest.raises(UserError) as caught:
        divided(source, store)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_copy_of_the_set_inside_itself(tmp_path: Path) -> None:
    save(save(tmp_path / "set") / "nest")
    said = refused(folder.read(tmp_path / "set"), tmp_path / "store")
    assert "'ant' has 0 (beside 6 also under class 'nest')" in said
    assert "'nest' has 0 (beside 6 equal to images of class 'ant', 6 equal to images of" in said
    assert "First: 'ant/0.png': conflict: another label than its copy nest/ant/0.png" in said
    assert "'nest' holds copies of 'ant', 'bee', 'cat'" in said


def test_two_classes_of_the_same_pictures(tmp_path: Path) -> None:
    draw = lambda label, k: noise(min(label, 1), k)  # noqa: E731
    said = refused(folder.read(save(tmp_path / "set", draw=draw)), tmp_path / "store")
    assert "'bee' has 0 (beside 6 also under class 'cat')" in said
    assert "'cat' has 0 (beside 6 equal to images of class 'bee')" in said
    assert "holds copies" not in said


@pytest.mark.parametrize(
    ("picture", "what"),
    [
        (Image.new("RGBA", (24, 24), (9, 9, 9, 0)), "wholly transparent"),
        (Image.new("RGB", (24, 24), (0, 0, 0)), "black"),
        (Image.new("RGB", (24, 24), (255, 255, 255)), "white"),
        (Image.new("RGB", (24, 24), (90, 30, 0)), "one colour"),
    ],
    ids=["transparent", "black", "white", "one colour"],
)
def test_pictures_that_show_nothing(tmp_path: Path, picture: Image.Image, what: str) -> None:
    draw = lambda label, k: picture if label == 1 else noise(label, k)  # noqa: E731
    said = refused(folder.read(save(tmp_path / "set", draw=draw)), tmp_path / "store")
    assert said.startswith(f"class 'bee' has 1 (beside 5 equal to another image: {what})")
    assert "First: 'bee/1.png': duplicate of bee/0.png" in said


def test_all_classes_of_one_blank_picture(tmp_path: Path) -> None:
    draw = lambda *_: Image.new("RGBA", (24, 24))  # noqa: E731
    said = refused(folder.read(save(tmp_path / "set", draw=draw)), tmp_path / "store")
    assert "equal to images of class 'ant': wholly transparent" in said


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    root = save(tmp_path / "set")
    for k in range(5):
        (root / "bee" / f"{k}.png").write_bytes(b"")
    said = refused(folder.read(root), tmp_path / "store")
    assert "class 'bee' has 1 (beside 5 unusable)" in said
    assert "First: 'bee/0.png': empty file" in said


def test_a_class_that_may_be_another_spelling(tmp_path: Path) -> None:
    root = save(tmp_path / "set")
    save(root, ("Cat",), count=1, draw=lambda _, k: noise(9, k))
    said = refused(folder.read(root), tmp_path / "store")
    assert "class 'Cat' has 1 different image(s)" in said
    assert "'cat' and 'Cat' differ by case only" in said


def test_a_class_that_only_test_has_lacks_training_images(tmp_path: Path) -> None:
    root = tmp_path / "set"
    save(root / "train")
    save(root / "test", ("ant", "bee", "Cat"), draw=lambda label, k: noise(label, 50 + k))
    said = refused(folder.read(root), tmp_path / "store")
    assert "class 'Cat' has no image for train; at least 1 is needed" in said
    assert "in the splits that the set gives: 6 in test" in said
    assert "'cat' and 'Cat' differ by case only" in said


def test_two_unicode_forms_of_a_folder_are_one_class(tmp_path: Path) -> None:
    root = tmp_path / "set"
    save(root / "train", ("ant", "caf\u00e9"))
    save(root / "test", ("ant", "cafe\u0301"), draw=lambda label, k: noise(label, 50 + k))
    source = folder.read(root)
    assert source.classes == ("ant", "caf\u00e9")
    manifest = divided(source, tmp_path / "store")
    assert manifest.counts("test").tolist() == [6, 6]


def test_numbered_folders_are_ordered_by_value(tmp_path: Path) -> None:
    source = folder.read(save(tmp_path / "set", ("1", "10", "2", "20", "3")))
    assert source.classes == ("1", "2", "3", "10", "20")
    items = {item.name.split("/")[0]: source.classes[item.label or 0] for item in source.items}
    assert all(name == label for name, label in items.items())
