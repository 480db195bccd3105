"""Columns give back what was put in."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thawline.ingest.decoding.image_stats import Looks
from thawline.ingest.decoding.preprocess import TRANSPARENCIES
from thawline.ingest.packing.image_table import PackedRows
from thawline.ingest.packing.packing import Packed

counts = st.integers(0, 2**31)
numbers = st.floats(0, 1e6)
looks = st.builds(
    Looks, st.none() | st.integers(0, 2**64 - 1), numbers, numbers, numbers, st.booleans()
)
images = st.builds(
    Packed,
    pixels=st.just(np.zeros((0,), np.uint8)),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    width=counts,
    height=counts,
    looks=looks,
    transparency=st.sampled_from(TRANSPARENCIES),
    note=st.none() | st.text(),
    item_name=st.text(),
    label=counts,
    group=st.none() | st.text(),
    split=st.sampled_from([None, "train", "val", "test"]),
    source_label=counts,
    bits=st.integers(0, 16),
)


def same(one: Packed, other: Packed) -> bool:
    named = [field.name for field in fields(Packed) if field.name != "pixels"]
    return all(getattr(one, name) == getattr(other, name) for name in named)


@given(st.lists(images, min_size=1, max_size=5), images)
def test_what_is_put_in_comes_out(given_images: list[Packed], other: Packed) -> None:
    rows = PackedRows()
    for image in given_images:
        rows.append(image)
    assert len(rows) == len(given_images)
    assert all(map(same, rows, given_images))
    assert list(rows.looks) == [image.looks for image in given_images]
    assert rows.hashes == [image.looks.dhash for image in given_images]
    assert rows.splits == [image.split for image in given_images]
    rows[0] = other
    assert all(map(same, rows, [other, *given_images[1:]]))


@given(images)
def test_pixels_are_not_kept(image: Packed) -> None:
    rows = PackedRows()
    rows.append(replace(image, pixels=np.ones((9, 9, 3), np.uint8)))
    assert rows[0].pixels.size == 0


@given(st.lists(images, min_size=1, max_size=5))
def test_own_groups_stay(given_images: list[Packed]) -> None:
    rows = PackedRows()
    for image in given_images:
        rows.append(image)
    rows.give_groups(["new"] * len(rows))
    own = [image.group for image in given_images]
    assert rows.groups == ["new" if group is None else group for group in own]
