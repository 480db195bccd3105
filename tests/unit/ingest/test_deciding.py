"""What the data decide where params.yaml says auto."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thawline.errors import UserError
from thawline.ingest import deciding
from thawline.ingest.decided import AUTO, FILE, KEYS, Decided
from thawline.ingest.deciding import choose_distance, choose_fit, decide, sentences, without_near
from thawline.ingest.decoding.background import BLACK, CANDIDATES, NEAR, choose_background
from thawline.ingest.image_size import ALL_SIZES, largest_size
from thawline.ingest.survey import Survey

ALL_AUTO = dict.fromkeys(KEYS, AUTO)
GIVEN = {
    "image_size_px": 48, "fit": "crop", "background": (1, 2, 3), "near_duplicate_distance": None,
}  # fmt: skip


def sides(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def seen(widths: np.ndarray, heights: np.ndarray, colours: tuple[np.ndarray, ...] = ()) -> Survey:
    return Survey(widths=widths, heights=heights, num_alpha=len(colours), colours=colours)


def ink(*colour: int) -> np.ndarray:
    return np.full((50, 3), colour, dtype=np.uint8)


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_background_is_none_that_every_drawing_has(name: str) -> None:
    colour = CANDIDATES[name]
    chosen, reason = choose_background([ink(*colour)] * 3)
    assert np.abs(np.subtract(chosen, colour)).max() > NEAR
    assert "0.0%" in reason


def test_black_ink_goes_on_white_and_white_ink_on_black() -> None:
    assert choose_background([ink(0, 0, 0)])[0] == (255, 255, 255)
    assert choose_background([ink(255, 255, 255)])[0] == (0, 0, 0)
    both, _ = choose_background([ink(0, 0, 0), ink(255, 255, 255)])
    assert both == (128, 128, 128)
    assert choose_background([]) == (BLACK, "no transparent picture was met")


def test_every_drawing_counts_alike_whatever_its_size() -> None:
    large = np.zeros((10_000, 3), dtype=np.uint8)
    grey = [ink(128, 128, 128)] * 2
    assert choose_background([large, *grey, ink(255, 255, 255)])[0] == CANDIDATES["teal"]


def test_a_few_stray_pixels_do_not_change_the_choice() -> None:
    few = np.concatenate([ink(0, 0, 0)] * 2 + [ink(255, 255, 255)[:1]])
    assert choose_background([few])[0] == (255, 255, 255)


def test_the_larger_the_pictures_the_larger_the_squares() -> None:
    found = [largest_size(sides(side), 1)[0] for side in range(1, 1000)]
    assert found == sorted(found)
    assert found[0] < found[-1] == ALL_SIZES[-1]
    size, reason = largest_size(sides(10, 30, 2000), 3)
    assert size == largest_size(sides(30), 1)[0]
    assert "30 px" in reason
    assert largest_size(sides(), 0)[0] in ALL_SIZES


def test_the_more_pictures_the_smaller_the_squares() -> None:
    found = [largest_size(sides(500), number) for number in (1_000, 50_000, 200_000, 10**9)]
    sizes = [size for size, _ in found]
    assert sizes == sorted(sizes, reverse=True)
    assert set(sizes) <= set(ALL_SIZES)
    assert sizes[0] > sizes[-1]
    assert "would take long" not in found[0][1]
    assert "200,000 of 224 px would take long" in found[2][1]


def test_a_shape_is_given_up_only_where_nearly_all_are_square() -> None:
    square = np.full(100, 50)
    assert choose_fit(square, square)[0] == "letterbox"
    nearly = square + np.arange(100) % 5
    assert choose_fit(nearly, square)[0] == choose_fit(square, nearly)[0] == "stretch"
    assert choose_fit(np.r_[nearly, 100], np.r_[square, 50])[0] == "letterbox"
    fit, reason = choose_fit(np.full(10, 300), np.full(10, 200))
    assert fit == "letterbox"
    assert "0%" in reason
    assert "1.50 to 1" in reason


def test_near_copies_of_tiny_pictures_are_not_looked_for() -> None:
    assert choose_distance(sides(8, 28, 28))[0] is None
    assert choose_distance(sides(300, 28, 200))[0] == deciding.NEAR_BITS


def test_what_is_given_stands_and_nothing_is_looked_at() -> None:
    def survey() -> Survey:
        raise AssertionError("nobody asked")

    decided = decide(GIVEN, survey, 10)
    assert {key: one.value for key, one in decided.decisions.items()} == GIVEN
    assert sentences(decided) == []


@pytest.mark.parametrize("key", KEYS)
def test_one_may_be_left_to_the_data(key: str) -> None:
    decided = decide(GIVEN | {key: AUTO}, lambda: seen(sides(300), sides(300)), 10)
    assert {k for k, one in decided.decisions.items() if one.auto} == {key}
    (line,) = sentences(decided)
    assert decided.decisions[key].reason in line
    others = GIVEN.keys() - {key}
    assert all(decided.decisions[k].value == GIVEN[k] for k in others)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    drawn = (ink(0, 0, 0),)
    for wanted in (GIVEN, ALL_AUTO):
        decided = decide(wanted, lambda: seen(sides(300), sides(200), drawn), 10)
        decided.write(tmp_path)
        read = Decided.read(tmp_path)
        assert read == decided
        assert read.image_size_px == decided.image_size_px
        assert read.background == tuple(decided.background)
        assert read.near_duplicate_distance == decided.near_duplicate_distance
        assert list(json.loads((tmp_path / FILE).read_text())) == list(KEYS)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw.pop("fit"),
        lambda raw: raw["fit"].update(value="squash"),
        lambda raw: raw["image_size_px"].update(value="auto"),
        lambda raw: raw["image_size_px"].update(value=10**9),
        lambda raw: raw["background"].update(value=[0, 0, 256]),
        lambda raw: raw["background"].update(value=[0, 0]),
        lambda raw: raw["near_duplicate_distance"].pop("reason"),
        lambda raw: raw.update(fit=3),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, damage: Any) -> None:
    decide(GIVEN, lambda: seen(sides(), sides()), 10).write(tmp_path)
    raw = json.loads((tmp_path / FILE).read_text())
    damage(raw)
    (tmp_path / FILE).write_text(json.dumps(raw))
    with pytest.raises(UserError, match=r"decided\.json: damaged"):
        Decided.read(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"decided\.json: not there; `dvc repro`"):
        Decided.read(tmp_path)


def test_near_copies_are_given_up_with_a_reason() -> None:
    decided = decide(ALL_AUTO, lambda: seen(sides(300), sides(200)), 10)
    off = without_near(decided, 1_000_000)
    assert decided.near_duplicate_distance == deciding.NEAR_BITS
    assert off.near_duplicate_distance is None
    assert "1,000,000 pairs" in sentences(off)[-1]
    assert (off.image_size_px, off.fit) == (decided.image_size_px, decided.fit)
