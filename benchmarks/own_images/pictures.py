"""Divide pictures into train and test, without copies across the two, and write them as folders."""

import hashlib
import io
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

SPLITS = ("train", "test")
TEST_SHARE = 0.25
_MOST_PIXELS = 16_000_000
"""Of a picture: four of openclipart have 168 and 623 million, which Pillow warns of or refuses."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Hold a file of an image set with its label.

    Attributes:
        label: name of its class.
        data: bytes of the file, as its package holds them.
        suffix: of the file's name, with the dot.
        split: train or test where the set itself divides, else None.
    """

    label: str
    data: bytes
    suffix: str
    split: str | None = None


def content_hash(data: bytes) -> str | None:
    """Hash what a file shows: its size and RGBA pixels, whatever its encoding.

    Returns:
        None for a picture of too many pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError:
            return None
    with image:
        if image.width * image.height > _MOST_PIXELS:
            return None
        shown = image.convert("RGBA")
    header = f"{shown.width}x{shown.height}:".encode()
    return hashlib.sha256(header + shown.tobytes()).hexdigest()


def divide(
    pictures: Iterable[Picture], seed: int, most: int | None = None, share: float = TEST_SHARE
) -> dict[str, dict[str, list[Picture]]]:
    """Draw the test rows of each class by a hash of the seed and the content.

    A picture that occurs twice is kept once, one that occurs under two classes not at all, and one
    of more than 16 million pixels neither. A set that divides itself keeps its splits; what is in
    both stays in test alone.

    Args:
        most: pictures of a class at most, drawn by the same hash.
        share: of each class that goes into test, at least one picture.

    Returns:
        Pictures by split and class, in an order that follows from seed and content.
    """
    kept = _without_copies(pictures)
    found: dict[str, dict[str, list[Picture]]] = {split: {} for split in SPLITS}
    by_class: dict[str, list[tuple[str, Picture]]] = defaultdict(list)
    for key, picture in kept.items():
        drawn = hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()
        by_class[picture.label].append((drawn, picture))
    for label, members in sorted(by_class.items()):
        ordered = [picture for _, picture in sorted(members, key=lambda member: member[0])]
        free = [picture for picture in ordered if picture.split is None][:most]
        num_test = max(1, round(share * len(free))) if free else 0
        given = {
            split: [picture for picture in ordered if picture.split == split] for split in SPLITS
        }
        found["test"][label] = given["test"] + free[:num_test]
        found["train"][label] = given["train"] + free[num_test:]
    return found


def write(folder: Path, divided: dict[str, dict[str, list[Picture]]]) -> dict[str, int]:
    """Write each picture's bytes to split/class/NUMBER.suffix.

    Returns:
        Pictures in each split.
    """
    for split, classes in divided.items():
        for label, members in classes.items():
            place = folder / split / label
            place.mkdir(parents=True)
            for number, picture in enumerate(members):
                (place / f"{number:05}{picture.suffix}").write_bytes(picture.data)
    return {split: sum(map(len, classes.values())) for split, classes in divided.items()}


def _without_copies(pictures: Iterable[Picture]) -> dict[str, Picture]:
    kept: dict[str, Picture] = {}
    contradicted = set()
    for picture in pictures:
        key = content_hash(picture.data)
        if key is None:
            continue
        other = kept.setdefault(key, picture)
        if other.label != picture.label:
            contradicted.add(key)
        elif picture.split == "test":
            kept[key] = picture
    return {key: picture for key, picture in kept.items() if key not in contradicted}
