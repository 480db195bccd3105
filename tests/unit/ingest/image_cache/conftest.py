"""Images in files, and runs of the packing with a cache of what was decoded."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.items import Item, Reject
from thawline.ingest.packing import image_cache, packing
from thawline.ingest.packing.image_cache import PackCache
from thawline.ingest.packing.packing import Packed, pack

Encode = Callable[..., bytes]
Results = list[Packed | Reject]
MANY = 10**6
COUNT = 60
GEOMETRY = Geometry(image_size_px=16, fit="letterbox", background=(0, 0, 0))
JPEG = Geometry(image_size_px=16, fit="crop", background=(9, 0, 0), encoding="jpeg")


@pytest.fixture(scope="module")
def items(encode: Encode) -> list[Item]:
    """Two kinds of file, one with a wrong name, one broken, one twice."""
    found = []
    for k in range(COUNT):
        pixels = np.random.default_rng(k % 50).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        kind, suffix = (("PNG", "png"), ("JPEG", "jpg"), ("PNG", "jpg"))[k % 3]
        data = encode(pixels, kind)[: 50 if k == 7 else None]
        found.append(Item(name=f"{k}.{suffix}", label=k % 4, payload=data, group=f"g{k}"))
    return found


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several files for a few images."""
    monkeypatch.setattr(image_cache, "SEGMENT_BYTES", 12_000)


def run(
    items: list[Item], folder: Path | None, geometry: Geometry = GEOMETRY, many: bool = False
) -> Results:
    if folder is None:
        return list(pack(items, geometry, len(items)))
    with PackCache(geometry, folder) as cache:
        return list(pack(items, geometry, MANY if many else len(items), cache))


def same(one: Results, other: Results) -> bool:
    return list(map(_told, one)) == list(map(_told, other))


def _told(result: Packed | Reject) -> object:
    if isinstance(result, Reject):
        return result
    pixels = (result.pixels.shape, result.pixels.dtype, result.pixels.tobytes())
    return replace(result, pixels=pixels)  # type: ignore[arg-type]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that were decoded in this process."""
    names: list[str] = []
    real = packing.content

    def counted(name: str, *more: object) -> object:
        names.append(name)
        return real(name, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(packing, "content", counted)
    return names


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
