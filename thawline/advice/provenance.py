"""Check that a run's results were made with the current values of params.yaml."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from thawline.dvc.hashes import Graph
from thawline.params import params_file
from thawline.runtime import safe_yaml

TO_FINE_TUNE = ("ingest", "rebalance", "augment", "transfer_learn", "fine_tune")
TO_EVALUATE = (*TO_FINE_TUNE, "compress", "evaluate")
_ABOUT = ("budget.min_accuracy", "budget.max_latency_ms", "budget.max_size_mb", "evaluate")
"""Sections that judge a model, and change none."""


def holds(stages: Iterable[str], folder: Path = Path()) -> bool:
    """Compare dvc.lock with params.yaml, and each stage's input with what is there now.

    Args:
        stages: the stages that made the figures, in their order.
        folder: the workspace.

    Returns:
        True where each of them last ran with the values of params.yaml, on what the stages before
        it last made; a limit of the budget and how the model is evaluated do not matter.
    """
    graph, now = Graph(folder), safe_yaml.load(folder / params_file.FILE)
    return all(
        graph.recorded(stage) and graph.current(stage) and _same(graph.params(stage), now)
        for stage in stages
    )


def _same(ran_with: Mapping[str, Any], now: Any) -> bool:
    counting = {key: value for key, value in ran_with.items() if key not in _ABOUT}
    return all(_at(now, key) == value for key, value in counting.items())


def _at(content: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        content = content.get(key) if isinstance(content, Mapping) else None
    return content
