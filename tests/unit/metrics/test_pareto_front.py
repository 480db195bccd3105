"""The Pareto front."""

import numpy as np

from thawline.metrics.pareto import non_dominated


def test_what_another_beats_is_off_the_front() -> None:
    costs = np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 3.0], [3.0, 1.0], [1.0, 3.0]])
    assert non_dominated(costs).tolist() == [True, True, False, True, True]


def test_of_nothing_there_is_none() -> None:
    assert non_dominated(np.empty((0, 2))).tolist() == []
