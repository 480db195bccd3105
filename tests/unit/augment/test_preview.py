"""The picture shows an image of each class and its views."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from thawline.augment._minority import Extras
from thawline.augment._preview import Part, preview, rare_classes
from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.training import mixup_preview

POLICY = [{"name": "HorizontalFlip", "p": 0.5}]
SIZE = 32


def packed(folder: Path, num_classes: int) -> tuple[Manifest, ImageStore]:
    count = 3 * num_classes
    with StoreWriter(folder, SIZE) as writer:
        for index in range(count):
            image = np.full((SIZE, SIZE, 3), 40 * index % 256, np.uint8)
            image[:, : SIZE // 2] = (200, 100, 0)
            writer.append(image)
    manifest = Manifest(
        classes=tuple(f"class {k}" for k in range(num_classes)),
        labels=np.arange(count) % num_classes,
        splits=np.repeat(["train", "val", "test"], num_classes),
        sha256=("",) * count,
        names=("",) * count,
        groups=(None,) * count,
        widths=np.full(count, SIZE),
        heights=np.full(count, SIZE),
    )
    return manifest, ImageStore(folder)


@pytest.mark.parametrize(("num_classes", "lines"), [(2, 2), (40, 16)])
def test_one_line_for_each_class_up_to_a_limit(
    tmp_path: Path, num_classes: int, lines: int
) -> None:
    path = tmp_path / "new folder 🙂" / "preview.png"
    change = preview(path, *packed(tmp_path, num_classes), POLICY, seed=0)
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (lines * 100 - 4, 9 * 96 + 3 * 4 + 7 * 4, 3)
    assert 0 < change < 1


def test_the_original_stands_left_in_its_colours(tmp_path: Path) -> None:
    preview(tmp_path / "a.png", *packed(tmp_path, 2), POLICY, seed=0)
    rgb = cv2.imread(str(tmp_path / "a.png"))[..., ::-1]
    assert rgb[10, 10].tolist() == [200, 100, 0]
    assert rgb[10, 80].tolist() == [0, 0, 0]


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    manifest, store = packed(tmp_path, 2)
    changes = [preview(tmp_path / n, manifest, store, POLICY, seed=0) for n in ("a.png", "b.png")]
    assert changes[0] == changes[1]
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_no_policy_changes_nothing(tmp_path: Path) -> None:
    assert preview(tmp_path / "a.png", *packed(tmp_path, 2), [], seed=0) == 0


def test_added_images_stand_below_their_title_beside_their_source(tmp_path: Path) -> None:
    manifest, store = packed(tmp_path, 2)
    extras = Extras(rows=np.array([1, 1, 1]), repeats=np.arange(3))
    extras.write(tmp_path / "minority", store, POLICY, seed=0)
    part = rare_classes(extras, manifest.labels, store, ImageStore(tmp_path / "minority"))
    preview(tmp_path / "a.png", manifest, store, POLICY, seed=0, parts=[part])
    rgb = cv2.imread(str(tmp_path / "a.png"))[..., ::-1]
    assert rgb.shape[0] == 3 * 100 - 4 + 24
    line = rgb[2 * 100 + 24 :]
    assert line[50, 10].tolist() == [200, 100, 0]
    assert (line[50, 450:] == 255).all()  # three images were added, of eight that fit


@pytest.mark.parametrize(
    ("options", "lines"),
    [((1.0, 0.0, 0.0), 1), ((1.0, 1.0, 0.5), 2), ((0.0, 0.0, 1.0), 1)],
)
def test_a_batch_is_mixed_as_in_training(
    tmp_path: Path, options: tuple[float, float, float], lines: int
) -> None:
    manifest, store = packed(tmp_path, 3)
    part = mixed(manifest, store, options)
    assert len(part.lines) == lines
    assert all((o == store[0]).all() and len(seen) == 8 for o, seen in part.lines)
    originals = {store[row].tobytes() for row in range(3)}
    assert any(image.tobytes() not in originals for _, seen in part.lines for image in seen)
    again = mixed(manifest, store, options)
    assert all(
        (a == b).all()
        for line, other in zip(part.lines, again.lines, strict=True)
        for a, b in zip(line[1], other[1], strict=True)
    )


def mixed(manifest: Manifest, store: ImageStore, options: tuple[float, float, float]) -> Part:
    names = ("mixup_alpha", "cutmix_alpha", "random_erasing")
    values = dict(zip(names, options, strict=True))
    return mixup_preview.part("fine_tune", manifest, store, [], seed=0, **values)
