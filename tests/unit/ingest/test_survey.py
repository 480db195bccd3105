"""What a look at a source before it is packed tells, and that it is bounded."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thawline.ingest import survey as surveying
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.survey import Spread, read_header, spread, survey

Encode = Callable[..., bytes]


def item(name: str, payload: Path | bytes | np.ndarray) -> Item:
    return Item(name=name, label=0, payload=payload)


def pane(colour: tuple[int, int, int], opaque: int = 40) -> Image.Image:
    """Opaque in its left part, another colour under the rest."""
    image = Image.new("RGBA", (80, 60), (1, 2, 3, 0))
    image.paste((*colour, 255), (0, 0, opaque, 60))
    return image


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "JPEG", "BMP", "PPM"])
def test_a_header_says_size_and_alpha(encode: Encode, tmp_path: Path, kind: str) -> None:
    drawn = pane((200, 0, 0))
    plain = drawn.convert("RGB")
    for image in (plain, drawn) if kind in ("PNG", "WEBP", "TIFF", "GIF") else (plain,):
        data = encode(image, kind)
        (tmp_path / "file").write_bytes(data)
        assert read_header(data) == read_header(tmp_path / "file") == (80, 60, image is drawn)
    assert read_header(np.asarray(plain)) == (80, 60, False)
    assert read_header(np.asarray(plain.convert("L"))) == (80, 60, False)


def test_a_transparent_colour_of_a_palette_is_an_alpha(encode: Encode) -> None:
    assert read_header(encode(pane((9, 9, 9)).convert("P"), "PNG", transparency=0)) == (
        80,
        60,
        True,
    )


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9])
def test_what_is_no_image_is_passed_over(
    encode: Encode, photo: np.ndarray, tmp_path: Path, share: float
) -> None:
    whole = encode(photo, "PNG")
    cut = whole[: int(share * len(whole))]
    items = [
        Reject(name="r", reason="x"),
        item("a", cut),
        item("b", tmp_path / "none"),
        item("c", whole),
    ]
    found = survey(items)
    assert (64, 48) in set(zip(found.widths.tolist(), found.heights.tolist(), strict=True))
    assert len(found.widths) <= 2
    assert found.colours == ()


def test_colours_are_those_that_are_seen(encode: Encode) -> None:
    drawings = [item(f"{k}", encode(pane((k, 0, 0)), "PNG")) for k in range(5)]
    full = item("full", encode(pane((7, 7, 7), 80), "PNG"))
    nothing = item("nothing", encode(pane((7, 7, 7), 0), "PNG"))
    found = survey([*drawings, full, nothing])
    assert found.num_alpha == 7
    assert [np.unique(c, axis=0).tolist() for c in found.colours] == [[[k, 0, 0]] for k in range(5)]


@pytest.mark.parametrize("number", [0, 1, 7, 8, 9, 100, 1001])
def test_a_sample_is_even_and_bounded(number: int) -> None:
    sample = Spread[int](4)
    for k in range(number):
        if sample.is_next():
            sample.keep(k)
    assert len(sample.kept) <= 8
    assert len(sample.kept) >= min(number, 4)
    steps = set(np.diff(sample.kept).tolist())
    assert len(steps) <= 1
    if number:
        assert sample.kept[0] == 0
        assert sample.kept[-1] + max(steps, default=1) >= number


def test_a_large_source_costs_no_more_than_a_bound(
    encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveying, "MOST_HEADERS", 20)
    monkeypatch.setattr(surveying, "MOST_DECODED", 3)
    data = encode(pane((0, 90, 0)), "PNG")
    asked = 0

    def counted() -> Iterator[Item]:
        nonlocal asked
        for k in range(3000):
            asked += 1
            yield item(str(k), data)

    found = survey(counted())
    assert asked == 3000
    assert 20 <= len(found.widths) <= 40
    assert 3 <= len(found.colours) <= 6


def test_a_source_that_makes_its_items_is_asked_for_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveying, "MOST_HEADERS", 10)
    image = np.zeros((4, 4), np.uint8)

    def every(step: int) -> Iterator[Item]:
        return (item(str(k), image) for k in range(0, 100, step))

    source = Source(classes=("a", "b"), items=every(1), num_items=100, every=every)
    assert len(list(spread(source))) == 10
    assert len(list(spread(replace(source, num_items=9)))) == 100
