"""A view is a function of seed, epoch, row and repeat, whoever makes it and whenever."""

import itertools
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.augment._transforms import ALLOWED, Views, build, repeats

POLICY = [
    {"name": "HorizontalFlip", "p": 0.5},
    {"name": "Affine", "rotate": [-20, 20], "p": 1.0},
    {"name": "OneOf", "p": 0.9, "steps": [
        {"name": "GaussNoise", "p": 1.0}, {"name": "RandomBrightnessContrast", "p": 1.0},
    ]},
]  # fmt: skip
NEED_ARGUMENTS = {"OneOf", "SomeOf", "RandomOrder", "RandomResizedCrop"}
KEYS = [
    {"epoch": epoch, "row": row, "repeat": repeat}
    for epoch, row, repeat in itertools.product(range(3), range(4), range(2))
]


@pytest.fixture(scope="session")
def image(photo: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(photo[:48, :48])


def bytes_of(image: np.ndarray, keys: list[dict[str, int]], seed: int = 0) -> list[bytes]:
    views = Views(POLICY, seed)
    return [views(image, **key).tobytes() for key in keys]


def test_the_order_and_what_was_drawn_before_do_not_matter(image: np.ndarray) -> None:
    forward = bytes_of(image, KEYS)
    assert bytes_of(image, KEYS[::-1]) == forward[::-1]
    assert bytes_of(image, KEYS[7:8]) == forward[7:8]
    np.random.seed(3)  # somebody else's global state
    assert bytes_of(image, KEYS) == forward


def test_other_processes_make_the_same_views(image: np.ndarray) -> None:
    with ProcessPoolExecutor(2) as pool:
        halves = list(pool.map(bytes_of, [image, image], [KEYS[:12], KEYS[12:]]))
    assert halves[0] + halves[1] == bytes_of(image, KEYS)


def test_views_differ_by_epoch_row_repeat_and_seed(image: np.ndarray) -> None:
    both = bytes_of(image, KEYS) + bytes_of(image, KEYS, seed=1)
    assert len(set(both)) == len(both)


def test_steps_draw_independently(image: np.ndarray) -> None:
    """With a generator of the same seed in each, both come or neither does."""
    steps = [{"name": "HorizontalFlip", "p": 0.5}, {"name": "Solarize", "p": 0.5}]
    views = Views(steps, 0)
    both = [views(image, epoch=0, row=row, repeat=0) for row in range(400)]
    always = {"name": "HorizontalFlip", "p": 1.0}, {"name": "Solarize", "p": 1.0}
    made = {
        (flipped, solarized): build(
            [step for step, on in zip(always, (flipped, solarized), strict=True) if on]
        )
        for flipped in (False, True)
        for solarized in (False, True)
    }
    counts = {
        key: sum(np.array_equal(view, compose(image=image)["image"]) for view in both)
        for key, compose in made.items()
    }
    assert sum(counts.values()) == len(both)
    # Each has a chance of 1/4: 100 expected, standard deviation 8.7.
    assert all(60 < count < 140 for count in counts.values()), counts


def test_the_original_stays(image: np.ndarray) -> None:
    before = image.copy()
    bytes_of(image, KEYS)
    assert np.array_equal(image, before)


def test_without_a_policy_an_image_is_itself(image: np.ndarray) -> None:
    assert np.array_equal(Views([], 0)(image, epoch=3, row=2, repeat=1), image)


@pytest.mark.parametrize("name", ["Lambda", "Compose", "Normalize", "FDA", "__class__", "os", ""])
def test_only_listed_transforms_are_made(name: str) -> None:
    step = {"name": name, "p": 1.0}
    for policy in ([step], [{"name": "OneOf", "p": 1.0, "steps": [step]}]):
        with pytest.raises(ValueError, match="not allowed; allowed: Affine"):
            build(policy)


@pytest.mark.parametrize("name", sorted(ALLOWED - NEED_ARGUMENTS))
def test_every_listed_transform_keeps_shape_and_type(image: np.ndarray, name: str) -> None:
    view = Views([{"name": name, "p": 1.0}], 0)(image, epoch=0, row=0, repeat=0)
    assert view.shape == image.shape
    assert view.dtype == np.uint8


@given(st.lists(st.integers(0, 6), max_size=40))
def test_repeats_count_what_stood_before(rows: list[int]) -> None:
    expected = [rows[:position].count(row) for position, row in enumerate(rows)]
    assert repeats(np.array(rows, dtype=np.int64)).tolist() == expected


def test_augmenting_takes_no_torch_and_leaves_it_to_others() -> None:
    code = """
import sys
import thawline.augment._transforms
print("torch" in sys.modules)
from albumentations.pytorch import ToTensorV2
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("False", 0), done.stderr
