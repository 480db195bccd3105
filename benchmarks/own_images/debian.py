"""Read labelled pictures out of Debian packages, as they were packed."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image

from benchmarks.idx_sample import drawn
from benchmarks.own_images import qt_resources
from benchmarks.own_images.pictures import Picture
from benchmarks.patches import patches
from thawline.ingest.items import Item
from thawline.ingest.sources import idx

_SUFFIXES = (".png", ".jpg")
_SHARE = Path("/usr/share")


def png(pixels: np.ndarray) -> bytes:
    """Encode pixels as a PNG file, uint8 (H, W) or (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def folders(root: Path, classes: Mapping[str, tuple[str, ...]]) -> Iterator[Picture]:
    """Yield the pictures under each class's folders, at any depth.

    Args:
        classes: folders under root, by the name of the class.
    """
    for label, places in classes.items():
        for place in places:
            for path in sorted((root / place).rglob("*")):
                if path.suffix in _SUFFIXES and path.is_file():
                    yield Picture(label=label, data=path.read_bytes(), suffix=path.suffix)


def fashion(num_train: int | None, num_test: int | None, seed: int) -> Iterator[Picture]:
    """Yield Fashion-MNIST with its own splits, or fewer rows of them, each class with its share."""
    items: dict[str, list[Item]] = {"train": [], "test": []}
    for item in idx.read(_SHARE / "datasets/fashion-mnist").items:
        if isinstance(item, Item):
            items[str(item.split)].append(item)
    for split, number in (("train", num_train), ("test", num_test)):
        labels = np.array([item.label for item in items[split]], np.uint8)
        rows = drawn(labels, number or len(labels), np.random.default_rng(seed))
        for row in rows:
            pixels = np.asarray(items[split][row].payload)
            yield Picture(label=str(labels[row]), data=png(pixels), suffix=".png", split=split)


def surfaces(side: int, most: int) -> Iterator[Picture]:
    """Yield squares of the photographs of mate-backgrounds; each photograph is a class."""
    for path in sorted((_SHARE / "backgrounds/mate/nature").glob("*.jpg")):
        with Image.open(path) as photograph:
            pixels = np.asarray(photograph.convert("RGB"))
        for patch in patches(pixels, side, most):
            yield Picture(label=path.stem, data=png(patch), suffix=".png")


def cards() -> Iterator[Picture]:
    """Yield the playing cards of openclipart in four styles, by rank."""
    root = _SHARE / "openclipart/png/recreation/games/cards"
    for style in ("bordered", "ornamental", "simple", "white"):
        for path in sorted((root / style).glob("*.png")):
            named = re.fullmatch(r"\w+_[cdhs]_(10|[2-9ajkq])", path.stem)
            if named:
                yield Picture(label=named[1], data=path.read_bytes(), suffix=".png")


def emoji() -> Iterator[Picture]:
    """Yield the bitmaps of Noto Color Emoji that have one code point, by Unicode's group.

    Flags are left out: but for a few they have two.
    """
    font = TTFont(_SHARE / "fonts/truetype/noto/NotoColorEmoji.ttf")
    glyphs, bitmaps = font.getBestCmap(), font["CBDT"].strikeData[0]
    label = ""
    listed = (_SHARE / "unicode/emoji/emoji-test.txt").read_text(encoding="utf-8")
    for line in listed.splitlines():
        if line.startswith("# group: "):
            label = line.removeprefix("# group: ").lower().replace(" & ", "-").replace(" ", "-")
        points = line.partition(";")[0].split()
        points = [point for point in points if point != "FE0F"]  # which asks for colour
        if len(points) == 1 and "fully-qualified" in line and label != "flags":
            bitmap = bitmaps.get(glyphs.get(int(points[0], 16)))
            if bitmap is not None:
                yield Picture(label=label, data=bytes(bitmap.imageData), suffix=".png")


def textures(classes: Mapping[str, tuple[str, ...]]) -> Iterator[Picture]:
    """Yield the JPEG textures of OpenArena, by what they cover."""
    with zipfile.ZipFile(_SHARE / "games/openarena/baseoa/pak4-textures.pk3") as archive:
        for label, places in classes.items():
            for name in sorted(archive.namelist()):
                if name.endswith(".jpg") and name.split("/")[1] in places:
                    yield Picture(label=label, data=archive.read(name), suffix=".jpg")


def photographs(classes: Mapping[str, tuple[str, ...]]) -> Iterator[Picture]:
    """Yield the photographs of GCompris, by the exercise's subject.

    They are WebP files, which become PNG files of the same pixels.
    """
    for label, places in classes.items():
        for place in places:
            activity, _, folder = place.partition("/")
            for name, data in qt_resources.files(_SHARE / f"gcompris-qt/rcc/{activity}.rcc"):
                if name.endswith(".webp") and f"{activity}/resource/{folder}/" in name:
                    with Image.open(io.BytesIO(data)) as image:
                        buffer = io.BytesIO()
                        image.save(buffer, format="png", compress_level=1)
                    yield Picture(label=label, data=buffer.getvalue(), suffix=".png")
