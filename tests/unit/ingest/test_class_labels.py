"""Numbers as labels: their order, their names, and numbers that no image has."""

import numpy as np
import pytest

from thawline.errors import UserError
from thawline.ingest.labels.labels import MAX_CLASSES, checked, from_numbers, ordered, whole_number

NAMES = ["ant", "bee", "cat"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["10", "9", "2"], ["2", "9", "10"]),
        (["1.0", "10.0", "2.0"], ["1.0", "2.0", "10.0"]),
        (["0.5", "10", "-1"], ["-1", "0.5", "10"]),
        (["01", "1", "2"], ["01", "1", "2"]),
        (["10", "9", "b"], ["10", "9", "b"]),
        (["\u0663", "1"], ["1", "\u0663"]),
        (["9" * 30, "1"], ["1", "9" * 30]),
        (["class_10", "class_9", "class_2"], ["class_2", "class_9", "class_10"]),
        (["10 km", "9 km"], ["9 km", "10 km"]),
        (["a10", "a9", "b1"], ["a10", "a9", "b1"]),
        (["a10", "a9", "a"], ["a", "a10", "a9"]),
    ],
)
def test_numbers_are_ordered_by_value(names: list[str], expected: list[str]) -> None:
    assert list(ordered(names)) == expected


def test_a_number_without_an_image_is_no_class() -> None:
    found = from_numbers(None, [3, 1, 2, 1])
    assert found.names == ("1", "2", "3")
    assert found.absent == ("0",)
    assert found.positions(np.array([[3], [1]], dtype=np.uint64)).tolist() == [2, 0]


def test_a_name_without_an_image_is_no_class() -> None:
    found = from_numbers(["n/a", *NAMES, "dog"], [1, 2, 3])
    assert found.names == ("ant", "bee", "cat")
    assert found.absent == ("n/a", "dog")
    assert found.remarks == ()


def test_labels_that_start_at_one_may_have_as_many_names() -> None:
    found = from_numbers(NAMES, [1, 3])
    assert found.names == ("ant", "cat")
    assert found.absent == ("bee",)
    assert found.remarks == (
        "the labels start at 1: ingest.options.classes is taken as the names of 1 and up",
    )


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 3], "3 names, but the labels go up to 3; 4 are needed, one for each number from 0"),
        ([2, 4], "3 names, but the labels go up to 4; 5 are needed"),
        ([1, 1], "every label is 1: 1 class"),
        ([1, MAX_CLASSES], f"label {MAX_CLASSES} is not allowed"),
    ],
)
def test_what_cannot_be_named_says_what_it_takes(labels: list[int], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        from_numbers(NAMES, labels)


def test_names_of_the_option_are_stored_composed() -> None:
    assert checked(["cafe\u0301", "bar"]) == ("caf\u00e9", "bar")
    with pytest.raises(UserError, match="occurs twice"):
        checked(["cafe\u0301", "caf\u00e9"])


@pytest.mark.parametrize(
    ("label", "number"),
    [("7", 7), ("007", 7), ("7.0", 7), ("7.", 7), ("7.5", None), ("-7", None), ("\u0667", None)],
)
def test_whole_numbers_are_recognised(label: str, number: int | None) -> None:
    assert whole_number(label) == number
