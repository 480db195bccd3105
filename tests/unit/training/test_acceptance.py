"""What was trained is kept only where it is better than its start by more than chance."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from thawline.metrics import temperature
from thawline.metrics.classification import score
from thawline.models.network import Network
from thawline.training import acceptance
from thawline.training.acceptance import SHARES, Acceptance, State, settle

COUNT = 200


def of_weight(value: float) -> Network:
    """A body of one weight, a head and a counter, which no share has a part of."""
    body, head = nn.Linear(1, 1, bias=False), nn.Linear(1, 1)
    head.weight.data.fill_(1.0)
    head.bias.data.fill_(3.0)
    network = nn.Sequential(OrderedDict(body=body, head=head))
    network.register_buffer("counted", torch.tensor(round(value * 10)))
    network[0].weight.data.fill_(value)
    return network.eval()


def weight(network: Network) -> float:
    return float(network[0].weight.detach())


class Judge:
    """Rows of which the first ones are right, as many as `share_right` says of the weight."""

    def __init__(self, share_right: Callable[[float], float]) -> None:
        self.share_right = share_right
        self.labels = np.arange(COUNT) % 3
        self.asked: list[float] = []

    def __call__(self, network: Network) -> np.ndarray:
        assert not network.training
        self.asked.append(weight(network))
        right = np.arange(COUNT) < round(COUNT * self.share_right(weight(network)))
        said = np.where(right, self.labels, (self.labels + 1) % 3)
        probabilities: np.ndarray = (0.1 + 0.7 * np.eye(3)[said]).astype(np.float32)
        return probabilities


def settled(
    share_right: Callable[[float], float],
    *,
    may_mix: bool = True,
    others: tuple[float, ...] = (),
) -> tuple[Network, Judge, acceptance.Acceptance]:
    network, judge = of_weight(1.0), Judge(share_right)
    start: State = copy.deepcopy(of_weight(0.0).state_dict())
    states = [copy.deepcopy(of_weight(value).state_dict()) for value in others]
    verdict = settle(network, start, judge, judge.labels, may_mix=may_mix, others=states)
    return network, judge, verdict


@pytest.mark.parametrize("may_mix", [True, False])
def test_equals_leave_the_start(may_mix: bool) -> None:
    network, _, verdict = settled(lambda _: 0.8, may_mix=may_mix)
    assert not verdict.accepted
    assert (verdict.gain, verdict.error) == (0.0, 0.0)
    assert weight(network) == 0
    assert int(network.counted) == 0
    assert verdict.judged["val_accuracy"] == pytest.approx(0.8)
    assert str(verdict).startswith("keeps the start: ")


@pytest.mark.parametrize("may_mix", [True, False])
def test_what_is_clearly_better_is_accepted(may_mix: bool) -> None:
    network, _, verdict = settled(lambda value: 0.5 + 0.4 * value, may_mix=may_mix)
    assert verdict.accepted
    assert verdict.share == weight(network) == 1
    assert int(network.counted) == 10
    assert verdict.gain == pytest.approx(0.4)
    assert verdict.gain > verdict.error > 0
    assert verdict.judged["val_accuracy"] == pytest.approx(0.9)
    assert str(verdict).startswith("accepts the tuned weights: +40.0 points")


def test_what_is_worse_leaves_the_start() -> None:
    network, _, verdict = settled(lambda value: 0.9 - 0.4 * value)
    assert not verdict.accepted
    assert weight(network) == 0
    assert verdict.gain < 0
    assert verdict.judged["val_accuracy"] == pytest.approx(0.9)


def test_a_gain_within_a_standard_error_leaves_the_start() -> None:
    """Six images better and five worse, of 200, may be chance; six better alone are not."""

    def predict(network: Network, worse: int) -> np.ndarray:
        tuned = weight(network) > 0
        right = np.arange(COUNT) < 150
        right[:worse] &= not tuned
        right[150:156] |= tuned
        labels = np.arange(COUNT) % 3
        said = np.where(right, labels, (labels + 1) % 3)
        probabilities: np.ndarray = (0.1 + 0.7 * np.eye(3)[said]).astype(np.float32)
        return probabilities

    def verdict(worse: int) -> acceptance.Acceptance:
        start = copy.deepcopy(of_weight(0.0).state_dict())
        labels = np.arange(COUNT) % 3
        return settle(of_weight(1.0), start, partial(predict, worse=worse), labels, may_mix=False)

    chance, clear = verdict(worse=5), verdict(worse=0)
    assert chance.gain == pytest.approx(1 / COUNT)
    assert not chance.accepted
    assert "within chance" in str(chance)
    assert clear.accepted


def test_weights_half_way_may_be_the_best() -> None:
    def hill(value: float) -> float:
        return 0.6 + 0.3 * (1 - 2 * abs(value - 0.5))

    network, judge, verdict = settled(hill)
    assert verdict.accepted
    assert verdict.share == weight(network) == 0.5
    assert int(network.counted) == 10, "what is no float is not mixed"
    assert "50% of the way" in str(verdict)
    assert judge.asked == [0.0, 1.0, *SHARES[:-1]]


def test_nothing_is_mixed_where_statistics_have_moved() -> None:
    network, judge, verdict = settled(lambda value: 0.9 if 0 < value < 1 else 0.6, may_mix=False)
    assert judge.asked == [0.0, 1.0]
    assert not verdict.accepted
    assert weight(network) == 0


def test_of_equals_the_most_trained_one_is_taken() -> None:
    network, _, verdict = settled(lambda value: 0.9 if value else 0.6)
    assert verdict.share == weight(network) == 1


def test_a_smaller_error_of_fewer_right_images_leaves_the_start() -> None:
    """Sharper where it is right, and wrong once more: probabilities alone are not enough."""

    def predict(network: Network) -> np.ndarray:
        tuned = weight(network) > 0
        right = np.arange(COUNT) < (COUNT * 3) // 4 - tuned
        labels = np.arange(COUNT) % 3
        said = np.where(right, labels, (labels + 1) % 3)
        sure = 0.9 if tuned else 0.4
        probabilities = np.full((COUNT, 3), (1 - sure) / 2)
        probabilities[np.arange(COUNT), said] = np.where(right, sure, 0.4)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities.astype(np.float32)

    network, start = of_weight(1.0), copy.deepcopy(of_weight(0.0).state_dict())
    verdict = settle(network, start, predict, np.arange(COUNT) % 3, may_mix=False)
    assert verdict.less > verdict.less_error
    assert verdict.gain < 0
    assert not verdict.accepted
    assert "accuracy fell" in str(verdict)
    assert weight(network) == 0


def test_epochs_are_averaged_where_that_is_better() -> None:
    """The best is at 0.75: the second epoch leads there, the third away from it."""

    def hill(value: float) -> float:
        return 0.9 - 0.3 * abs(value - 0.75)

    network, _, verdict = settled(hill, others=(0.5, 2.0))
    assert verdict.accepted
    assert verdict.num_epochs == 2
    assert weight(network) == 0.75
    assert "of 2 epochs on average" in str(verdict)
    alone, _, verdict = settled(hill, others=(0.5,), may_mix=False)
    assert verdict.num_epochs == weight(alone) == 1


def test_what_is_accepted_says_honest_probabilities() -> None:
    """The logits are divided by the temperature that suits the validation rows."""
    network, judge, verdict = settled(lambda value: 0.5 + 0.4 * value)
    said = judge(of_weight(1.0))
    fitted = temperature.fit(said, judge.labels, spread=temperature.SPREAD)
    assert fitted < 0.9
    assert float(network[-1].weight.detach()) == pytest.approx(1 / fitted)
    assert float(network[-1].bias.detach()) == pytest.approx(3 / fitted)
    honest = score(temperature.scale(said, fitted), judge.labels)
    assert verdict.judged["val_loss"] == pytest.approx(honest.nll)
    kept, _, _ = settled(lambda value: 0.9 - 0.4 * value)
    assert float(kept[-1].weight.detach()) == 1


def test_certainty_is_bounded_where_all_rows_are_right() -> None:
    network, _, verdict = settled(lambda value: 1.0 if value else 0.9)
    assert verdict.accepted
    assert 1 < float(network[-1].weight.detach()) < 4


def test_epochs_of_the_blocks_that_trained_are_completed() -> None:
    network, judge = of_weight(1.0), Judge(lambda value: 0.5 + 0.4 * value)
    start = copy.deepcopy(of_weight(0.0).state_dict())
    head = {key: value + 1 for key, value in start.items() if key.startswith("head")}
    assert settle(network, start, judge, judge.labels, may_mix=True, others=[head]).accepted


def test_more_right_images_are_enough_where_the_error_is_no_larger() -> None:
    """Eight of 200 more are right, and others are less certain."""

    def predict(network: Network) -> np.ndarray:
        tuned = weight(network) > 0
        labels = np.arange(COUNT) % 3
        right = np.arange(COUNT) < 150 + 8 * tuned
        said = np.where(right, labels, (labels + 1) % 3)
        sure = np.where(tuned & (np.arange(COUNT) % 2 == 0), 0.78, 0.8)
        probabilities = np.repeat(((1 - sure) / 2)[:, None], 3, axis=1)
        probabilities[np.arange(COUNT), said] = sure
        return probabilities.astype(np.float32)

    start = copy.deepcopy(of_weight(0.0).state_dict())
    verdict = settle(of_weight(1.0), start, predict, np.arange(COUNT) % 3, may_mix=False)
    assert verdict.gain > verdict.error
    assert verdict.less >= 0
    assert verdict.accepted


def test_a_start_with_more_rows_in_its_fit_is_what_must_be_surpassed() -> None:
    """What is better than the start is not enough where something better yet would ship."""

    def settle_beside(share: float) -> Acceptance:
        network, judge = of_weight(1.0), Judge(lambda value: 0.5 + 0.3 * value)
        start = copy.deepcopy(of_weight(0.0).state_dict())
        beside = Judge(lambda _: share)(network)
        return settle(network, start, judge, judge.labels, may_mix=False, refitted=beside)

    better, worse = settle_beside(0.6), settle_beside(0.95)
    assert better.accepted
    assert better.gain == pytest.approx(0.2, abs=0.02)
    assert "compared with the start fitted to all other validation images too" in str(better)
    assert not worse.accepted
    assert worse.judged["val_accuracy"] == pytest.approx(0.5, abs=0.05), "of what stays"
