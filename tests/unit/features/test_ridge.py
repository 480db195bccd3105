"""A head in closed form: what is left out was left out, what is constant says nothing."""

from typing import Any

import numpy as np
import pytest

from thawline.features import ridge

NUM_CLASSES = 3


def raw(count: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features float32, labels and weights; a class is told by the mean of a feature."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % NUM_CLASSES
    features = rng.normal(size=(count, width)) + 0.8 * np.eye(NUM_CLASSES, width)[labels]
    return features.astype(np.float32), labels, rng.uniform(0.2, 3.0, count)


def rows(count: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same with standardised features, float64."""
    features, labels, weights = raw(count, width)
    return ridge.Standard.from_levels([features], weights).apply(features), labels, weights


def refitted(
    features: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    out: np.ndarray,
    penalty: float,
) -> np.ndarray:
    """Scores of rows by a fit of all others, with a free offset, by the plain normal equations."""
    weights = (weights / weights.mean())[~out]
    design = np.column_stack([features, np.ones(len(features))])
    inner = (design[~out].T * weights) @ design[~out]
    inner[np.arange(features.shape[1]), np.arange(features.shape[1])] += penalty
    wanted = (design[~out].T * weights) @ np.eye(NUM_CLASSES)[labels[~out]]
    scores: np.ndarray = design[out] @ np.linalg.solve(inner, wanted)
    return scores


GROUPS = {
    "each row": None,
    "pairs": np.arange(48) // 2,
    "of many sizes, scattered": np.random.default_rng(5).permutation(np.arange(48) ** 2 // 200),
}


@pytest.mark.parametrize("width", [5, 200], ids=["more rows", "more features"])
@pytest.mark.parametrize("penalty", [1e-3, 0.1, 30.0])
@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS.keys())
def test_what_is_left_out_is_as_if_it_were_not_there(
    width: int, penalty: float, groups: np.ndarray | None
) -> None:
    features, labels, weights = rows(48, width)
    found = ridge.leave_out(
        features, labels, num_classes=NUM_CLASSES, weights=weights, groups=groups,
        penalties=[penalty],
    )  # fmt: skip
    of_row = np.arange(48) if groups is None else groups
    for group in np.unique(of_row):
        out = of_row == group
        expected = refitted(features, labels, weights, out, penalty)
        np.testing.assert_allclose(found.scores[out], expected, atol=1e-5)
    once = ridge.leave_out_once(
        features, labels, num_classes=NUM_CLASSES, weights=weights, groups=groups, penalty=penalty
    )
    np.testing.assert_allclose(once, found.scores, atol=1e-8)
    assert found.penalty == penalty
    assert (found.right == (found.scores.argmax(axis=1) == labels)).all()
    distance = np.square(np.eye(NUM_CLASSES)[labels] - found.scores).sum(axis=1)
    np.testing.assert_allclose(found.errors, distance)


def test_rows_of_unit_length_are_centred_again() -> None:
    features, _, weights = raw(48, 20)
    parts = [features[:, :5], features[:, 5:]]
    plain = ridge.Standard.from_levels(parts, weights).apply(features)
    found = ridge.Standard.from_levels(parts, weights, unit_length=True)
    expected = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    centre = weights @ expected / weights.sum()
    np.testing.assert_allclose(found.apply(features), expected - centre, atol=1e-5)
    np.testing.assert_allclose(weights @ found.apply(features), 0, atol=1e-9)


@pytest.mark.parametrize("width", [5, 200])
def test_the_penalty_with_the_least_error_is_taken(width: int) -> None:
    features, labels, weights = rows(48, width)
    options: dict[str, Any] = {"num_classes": NUM_CLASSES, "weights": weights}
    each = {
        penalty: float(
            weights @ ridge.leave_out(features, labels, penalties=[penalty], **options).errors
        )
        for penalty in ridge.PENALTIES
    }
    chosen = ridge.leave_out(features, labels, **options).penalty
    assert each[chosen] == min(each.values())


@pytest.mark.parametrize("width", [5, 200])
def test_the_fit_of_all_rows_is_the_best_there_is(width: int) -> None:
    """No small step away from it lowers what it minimises."""
    features, labels, weights = raw(48, width)
    standard = ridge.Standard.from_levels([features], weights)
    weight, offset = ridge.solve(
        features, labels, standard=standard, num_classes=NUM_CLASSES, weights=weights, penalty=0.1
    )
    features = standard.apply(features)
    assert (weight.shape, offset.shape) == ((NUM_CLASSES, width), (NUM_CLASSES,))

    def cost(weight: np.ndarray, offset: np.ndarray) -> float:
        apart = np.eye(NUM_CLASSES)[labels] - features @ weight.T - offset
        error = (weights / weights.mean()) @ np.square(apart).sum(axis=1)
        return float(error + 0.1 * np.square(weight).sum())

    least, rng = cost(weight, offset), np.random.default_rng(1)
    for _ in range(20):
        step = 1e-3 * rng.normal(size=(NUM_CLASSES, width + 1))
        assert cost(weight + step[:, :-1], offset + step[:, -1]) > least


@pytest.mark.parametrize("width", [5, 200])
def test_a_row_that_counts_twice_is_a_row_that_is_there_twice(width: int) -> None:
    features, labels, _ = raw(48, width)
    repeated = np.concatenate([np.arange(48), np.arange(7)])
    solved: list[np.ndarray] = []
    for at, weights in (
        (np.arange(48), np.where(np.arange(48) < 7, 2.0, 1.0)),
        (repeated, np.ones(len(repeated))),
    ):
        solved += ridge.solve(
            features[at], labels[at], standard=ridge.Standard.from_levels([features[at]], weights),
            num_classes=NUM_CLASSES, weights=weights,
            penalty=0.1 / weights.mean(),  # which is over weights of mean one
        )  # fmt: skip
    np.testing.assert_allclose(solved[0], solved[2], atol=1e-6)
    np.testing.assert_allclose(solved[1], solved[3], atol=1e-6)


def test_parts_of_the_rows_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels, weights = raw(48, 5)
    solved: list[np.ndarray] = []
    for chunk in (48, 7):
        monkeypatch.setattr(ridge, "_CHUNK", chunk)
        standard = ridge.Standard.from_levels([features], weights)
        solved += ridge.solve(
            features, labels, standard=standard, num_classes=NUM_CLASSES, weights=weights,
            penalty=0.1,
        )  # fmt: skip
    np.testing.assert_allclose(solved[0], solved[2], atol=1e-9)
    np.testing.assert_allclose(solved[1], solved[3], atol=1e-9)


def test_features_are_centred_and_levels_weigh_alike() -> None:
    rng = np.random.default_rng(0)
    levels = [
        (rng.normal(size=(40, 3)) * 1000 + 77).astype(np.float32),
        (rng.normal(size=(40, 50)) * 1e-3).astype(np.float32),
    ]
    weights = rng.uniform(0.5, 2.0, 40)
    standard = ridge.Standard.from_levels(levels, weights)
    features = standard.apply(np.concatenate(levels, axis=1))
    share = weights / weights.sum()
    np.testing.assert_allclose(share @ features, 0, atol=1e-9)
    lengths = [share @ np.square(part).sum(axis=1) for part in np.split(features, [3], axis=1)]
    np.testing.assert_allclose(lengths, [0.5, 0.5])


def test_constant_features_say_nothing_and_spoil_nothing() -> None:
    rng = np.random.default_rng(0)
    told = rng.normal(size=(30, 4)).astype(np.float32)
    flat = np.full((30, 3), 0.1, np.float32) * np.array([0, 1, 1e6], np.float32)
    weights, labels = np.ones(30), np.arange(30) % NUM_CLASSES
    standard = ridge.Standard.from_levels([np.concatenate([told, flat], axis=1)], weights)
    features = standard.apply(np.concatenate([told, flat], axis=1))
    assert np.isfinite(features).all()
    assert (features[:, 4:] == 0).all()
    assert (features[:, :4].std(axis=0) > 0).all()
    options: dict[str, Any] = {
        "num_classes": NUM_CLASSES, "weights": weights, "penalties": [0.1]
    }  # fmt: skip
    found = ridge.leave_out(features, labels, **options)
    without = ridge.leave_out(features[:, :4], labels, **options)
    np.testing.assert_allclose(found.scores, without.scores, atol=1e-9)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_features_of_any_size_are_heard(size: float) -> None:
    features, labels, weights = raw(48, 5)
    features = (size * features).astype(np.float32)
    standard = ridge.Standard.from_levels([features], weights)
    options: dict[str, Any] = {"num_classes": NUM_CLASSES, "weights": weights}
    found = ridge.leave_out(standard.apply(features), labels, penalties=[0.1], **options)
    expected, _, _ = rows(48, 5)
    as_they_are = ridge.leave_out(expected, labels, penalties=[0.1], **options)
    np.testing.assert_allclose(found.scores, as_they_are.scores, atol=1e-5)


def test_where_all_is_constant_the_shares_of_the_classes_are_the_answer() -> None:
    flat = np.ones((30, 3), np.float32)
    labels, weights = np.repeat([0, 1, 2], [20, 6, 4]), np.ones(30)
    standard = ridge.Standard.from_levels([flat], weights)
    options: dict[str, Any] = {"num_classes": NUM_CLASSES, "weights": weights}
    found = ridge.leave_out(standard.apply(flat), labels, **options)
    assert found.right.sum() == 20
    weight, offset = ridge.solve(flat, labels, standard=standard, penalty=0.1, **options)
    assert (weight == 0).all()
    np.testing.assert_allclose(offset, [20 / 30, 6 / 30, 4 / 30])
