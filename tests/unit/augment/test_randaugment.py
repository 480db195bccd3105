"""Operations are drawn per image, as many as asked, as strong as asked."""

import numpy as np
import pytest

from thawline.augment import randaugment
from thawline.augment._transforms import Views, build

IMAGE = np.random.default_rng(0).integers(20, 200, (32, 32, 3), dtype=np.uint8)


def views(count: int, **options: int) -> list[np.ndarray]:
    make = Views(randaugment.policy(32, mirror=False, **options), seed=0)
    return [make(IMAGE, epoch=epoch, row=0, repeat=0) for epoch in range(count)]


def test_there_are_the_fourteen_operations_of_the_paper() -> None:
    (group,) = randaugment.policy(32, mirror=False)
    assert len(group["steps"]) == 14


def test_each_view_has_its_own_draw() -> None:
    single = {view.tobytes() for view in views(200, num_ops=1)}
    # Both signs of nine operations, and what has one strength: auto-contrast and so on.
    assert 14 <= len(single) <= 2 * 9 + 5
    assert IMAGE.tobytes() in single, "the operation that does nothing is missing"
    assert len({view.tobytes() for view in views(200, num_ops=2)}) > 2 * len(single)


def test_more_operations_and_magnitude_change_more() -> None:
    def change(**options: int) -> float:
        return float(np.mean([np.abs(v.astype(int) - IMAGE).mean() for v in views(60, **options)]))

    assert change(num_ops=1) < change(num_ops=2) < change(num_ops=4)
    assert change(magnitude=1) < change(magnitude=9) < change(magnitude=20)


@pytest.mark.parametrize("magnitude", range(0, 31, 5))
def test_every_operation_runs_at_every_magnitude(magnitude: int) -> None:
    (group,) = randaugment.policy(32, magnitude=magnitude, mirror=False)
    for step in group["steps"]:
        view = build([step])(image=IMAGE)["image"]
        assert view.shape == IMAGE.shape
        assert view.dtype == np.uint8
