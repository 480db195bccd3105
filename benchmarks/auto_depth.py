"""Does `trainable: auto` choose a depth as good as the best fixed one, found by training them all?

    python -m benchmarks.auto_depth --data digits --data idx:PATH --data folder:PATH
        [--depths 0,1,3,6,9] [--seeds 5] [--max-train 4000] [--set KEY=VALUE ...] [--out FILE]

Recipes, image size, augmentation and network are those of params.yaml, or as --set says. Its policy
is for letters and digits: other images want their own, so a command for each kind of them.
For each data set and seed a
head is trained once, as transfer_learn does; from there fine_tune trains each depth (blocks from
the end, besides the head), and the one that `auto` chooses on training rows. Prints a table of
accuracy on the test rows, with the difference of `auto` to the best fixed depth and its interval:
95 %, paired, over seeds and rows. Five seeds of five depths take hours on 2 cores.
"""

import argparse
import copy
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data_set import packed, thinned
from benchmarks.paired import difference
from benchmarks.params import argument, changed
from thawline.dataset.manifest import Manifest
from thawline.models import device
from thawline.models import network as networks
from thawline.models.checkpoint import ModelConfig
from thawline.models.inference import BATCH, probabilities
from thawline.models.network import Network
from thawline.params.schema.recipes import RecipeSection as Section
from thawline.params.schema.whole import Params
from thawline.training import batch_size, freeze_decision, layer_probe
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe
from thawline.training.train import train


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One data set.

    Attributes:
        fixed: depth to whether each test row was right, bool (seeds, N).
        auto: the same at the depth that auto chose.
        chosen: that depth, per seed.
        reasons: why, per seed.
    """

    data: str
    fixed: dict[int, np.ndarray]
    auto: np.ndarray
    chosen: list[int]
    reasons: list[str]


def main() -> None:
    given = _arguments()
    params = changed(given.set)
    outcomes = []
    for data in given.data:
        outcomes.append(_experiment(data, params, given))
        print(_table(outcomes[-1]), flush=True)
    if given.out:
        found = [_as_json(outcome) for outcome in outcomes]
        given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], parents=[argument()])
    parser.add_argument("--data", action="append", required=True, help="digits, or SOURCE:PATH")
    parser.add_argument("--depths", type=_numbers, default=[0, 1, 3, 6, 9])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--max-train", type=int, default=4000, help="training rows at most")
    parser.add_argument("--max-test", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _experiment(data: str, params: Params, given: argparse.Namespace) -> Outcome:
    fixed: dict[int, list[np.ndarray]] = {blocks: [] for blocks in given.depths}
    auto, decided = [], []
    with tempfile.TemporaryDirectory() as folder:
        whole = packed(data, Path(folder), params)
        for seed in range(given.seeds):
            lab = _Lab(params, thinned(whole, given.max_train, seed), seed, given)
            decided.append(lab.decide())
            known = {blocks: lab.fine_tuned(blocks) for blocks in given.depths}
            for blocks, right in known.items():
                fixed[blocks].append(right)
            chosen = decided[-1].num_blocks
            auto.append(known[chosen] if chosen in known else lab.fine_tuned(chosen))
            print(f"{data}, seed {seed}: {decided[-1].reason}", flush=True)
    return Outcome(
        data=data,
        fixed={blocks: np.stack(rights) for blocks, rights in fixed.items()},
        auto=np.stack(auto),
        chosen=[one.num_blocks for one in decided],
        reasons=[one.reason for one in decided],
    )


class _Lab:
    """One data set and seed: a trained head, and what becomes of it by fine-tuning."""

    def __init__(
        self, params: Params, data: TrainingData, seed: int, given: argparse.Namespace
    ) -> None:
        self._params, self._data = params, data
        chosen = device.select(params.training.device)
        self._machine = Machine(
            device=chosen,
            precision=params.training.precision,
            workers=device.workers(params.training.workers, chosen),
            seed=seed,
        )
        self._card = _card(params, data.manifest, data.store.image_size_px)
        device.setup(threads=params.training.threads, seed=seed)
        self._start = _network(params, len(data.manifest.classes), seed)
        test = data.manifest.rows("test")
        rng = np.random.default_rng(0)
        self._test = np.sort(rng.permutation(test)[: given.max_test])
        self._train(self._start, params.transfer_learn, "transfer_learn", "head", 0)

    def decide(self) -> freeze_decision.FreezeDecision:
        data, machine = self._data, self._machine
        profile = layer_probe.measure(
            self._start.to(machine.device).eval(),
            self._card,
            data.store,
            data.manifest,
            split="train",
            seed=machine.seed,
            device=machine.device,
        )
        return freeze_decision.by_profile("fine_tune", profile)

    def fine_tuned(self, blocks: int) -> np.ndarray:
        """Whether each test row is right after fine-tuning that many blocks, bool (N,)."""
        network = copy.deepcopy(self._start)
        device.setup(threads=self._params.training.threads, seed=self._machine.seed)
        self._train(network, self._params.fine_tune, "fine_tune", "last_blocks", blocks)
        data = self._data
        images = data.store.batches(self._test, BATCH)
        predicted = probabilities(network, images, self._card).argmax(axis=1)
        right: np.ndarray = predicted == data.manifest.labels[self._test]
        return right

    def _train(
        self, network: Network, section: Section, stage: str, trainable: str, num_blocks: int
    ) -> None:
        values = section.model_dump() | {"trainable": trainable, "num_blocks": num_blocks}
        size = batch_size.choose(self._params, network, self._card, self._machine)
        recipe = Recipe(stage=stage, batch_size=size, **values)
        train(network, self._card, self._data, recipe, self._machine, lambda *_: None)


def _network(params: Params, num_classes: int, seed: int) -> Network:
    m = params.model
    return networks.build_pretrained(
        m.family, m.name, num_classes=num_classes, dropout=m.dropout, seed=seed,
        weights_file=Path(m.weights_file) if m.weights == "file" else None,
    )  # fmt: skip


def _card(params: Params, manifest: Manifest, side_px: int) -> ModelConfig:
    m = params.model
    described = networks.describe(m.family, m.name)
    return ModelConfig(
        family=m.family, name=m.name, dropout=m.dropout, classes=manifest.classes,
        image_size_px=side_px, fit="letterbox", background=(0, 0, 0),
        mean=described.mean, std=described.std,
    )  # fmt: skip


def _best(outcome: Outcome) -> int:
    """The fixed depth with the highest mean accuracy on the test rows, the smaller among equals."""
    return max(outcome.fixed, key=lambda blocks: (outcome.fixed[blocks].mean(), -blocks))


def _as_json(outcome: Outcome) -> dict[str, Any]:
    best = _best(outcome)
    mean, low, high = difference(outcome.auto, outcome.fixed[best])
    return {
        "data": outcome.data,
        "test_rows": outcome.auto.shape[1],
        "fixed": {blocks: right.mean(axis=1).tolist() for blocks, right in outcome.fixed.items()},
        "auto": outcome.auto.mean(axis=1).tolist(),
        "chosen": outcome.chosen,
        "reasons": outcome.reasons,
        "best_fixed": best,
        "difference": {"mean": mean, "low": low, "high": high},
    }


def _table(outcome: Outcome) -> str:
    found = _as_json(outcome)
    seeds = len(outcome.chosen)
    lines = [
        f"{outcome.data}: {found['test_rows']:,} test rows, {seeds} seeds",
        *(
            f"  {blocks:>3} blocks  {right.mean():7.2%}  seeds {right.mean(axis=1).std():.2%}"
            for blocks, right in outcome.fixed.items()
        ),
        f"  auto        {outcome.auto.mean():7.2%}  chose {outcome.chosen}",
        "  auto - best fixed ({best_fixed} blocks): ".format(**found)
        + "{mean:+.2%}, 95 % interval {low:+.2%} to {high:+.2%}".format(**found["difference"]),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
