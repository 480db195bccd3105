"""What shares a hash is a near copy only if it looks the same."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.ingest.decoding.decode import fit
from thawline.ingest.dedup import phash_index, thumbnails

SIDE = 48


def scene(seed: int, size: tuple[int, int] = (200, 150)) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def drawing(seed: int, size: int = 160) -> Image.Image:
    """A few coloured shapes on white."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (size, size), "white")
    for _ in range(3):
        x, y, side = (int(v) for v in rng.integers(size // 8, size // 2, 3))
        ImageDraw.Draw(image).ellipse(
            (x, y, x + side, y + side), fill=tuple(int(v) for v in rng.integers(0, 256, 3))
        )
    return image


def recompressed(image: Image.Image, quality: int = 50) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def store(folder: Path, images: list[Image.Image]) -> ImageStore:
    with StoreWriter(folder, SIDE) as writer:
        for image in images:
            writer.append(fit(image, SIDE, "letterbox", (255, 255, 255)))
    return ImageStore(folder)


@pytest.mark.parametrize("make", [scene, drawing])
def test_copies_agree_and_other_pictures_do_not(tmp_path: Path, make: type) -> None:
    originals = [make(seed) for seed in range(20)]
    copies = [recompressed(one.resize((one.width // 2, one.height // 2))) for one in originals]
    images = store(tmp_path, [*originals, *copies])
    seen = thumbnails.read(images, range(40))
    assert thumbnails.agree(seen[:20], seen[20:]).all()
    for step in range(1, 20):
        others = np.roll(seen[:20], step, axis=0)
        assert not thumbnails.agree(seen[:20], others).any()


def test_equal_ones_agree_whichever_stands_first(tmp_path: Path) -> None:
    seen = thumbnails.read(store(tmp_path, [scene(k) for k in range(6)]), range(6))
    assert thumbnails.agree(seen, seen).all()
    assert thumbnails.agree(seen[:1], seen).tolist() == [True] + [False] * 5
    assert thumbnails.agree(seen, seen[:1]).tolist() == [True] + [False] * 5


def test_a_small_sign_tells_two_cards_apart(tmp_path: Path) -> None:
    cards = [Image.new("RGB", (96, 128), "white") for _ in range(2)]
    for card in cards:
        ImageDraw.Draw(card).rectangle((0, 0, 95, 127), outline="black", width=6)
    ImageDraw.Draw(cards[1]).rectangle((40, 50, 60, 70), fill="red")
    seen = thumbnails.read(store(tmp_path, [*cards, recompressed(cards[1])]), range(3))
    assert thumbnails.agree(seen, seen[1:2]).tolist() == [False, True, True]


def test_rows_of_one_hash_are_split_by_what_they_look_like(tmp_path: Path) -> None:
    images = [scene(0), scene(1), scene(0), scene(1), scene(2), recompressed(scene(0))]
    seen = thumbnails.read(store(tmp_path, images), range(6))
    by_hash = phash_index.find([7, 7, 7, 7, 7, 6], 1)
    assert len(by_hash.rows[0]) == 5
    found = phash_index.verified(by_hash, lambda rows: seen[rows], 1)
    groups = {rows: found.neighbours[k] for k, rows in enumerate(found.rows)}
    assert set(groups) == {(0, 2), (1, 3), (5,)}
    assert groups[1, 3] == {}
    assert groups[5,] == {found.rows.index((0, 2)): 1}
    assert groups[0, 2] == {found.rows.index((5,)): 1}


def test_too_many_to_compare_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = thumbnails.read(store(tmp_path, [scene(k) for k in range(8)]), range(8))
    by_hash = phash_index.find([k // 4 for k in range(8)], 4)
    assert phash_index.verified(by_hash, lambda rows: seen[rows], 4).rows == ()
    monkeypatch.setattr(phash_index, "MAX_PAIRS", 15)
    with pytest.raises(phash_index.TooManyPairsError):
        phash_index.verified(by_hash, lambda rows: seen[rows], 4)
