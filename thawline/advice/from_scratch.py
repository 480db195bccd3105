"""Propose values for training without pretrained weights on small images, for both stages.

A family whose networks need others says so in its FROM_SCRATCH, by patterns of names.

docs/from_scratch.md says where they come from; docs/from_scratch.txt holds the same for
`dvc exp run -S`, and a test compares the two.
"""

from fnmatch import fnmatchcase
from typing import Any

from thawline.params import plugins
from thawline.params.proposal import Proposal, section
from thawline.params.schema.whole import Params

TRANSFER_LEARN: dict[str, Any] = {
    "trainable": "all",
    "epochs": 60,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "warmup_ratio": 0.1,
    "label_smoothing": 0.1,
    "patience": 20,
}
FINE_TUNE: dict[str, Any] = {
    "trainable": "all",
    "epochs": 20,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "warmup_ratio": 0.1,
}
STAGES = {"transfer_learn": TRANSFER_LEARN, "fine_tune": FINE_TUNE}
RULE = "from scratch: Adam over the whole network until it works, then SGD to finish"


def propose(params: Params, stage: str) -> list[Proposal]:
    """Propose the recipe for a training stage."""
    m = params.model
    own = _own(m.family, m.name, stage)
    kept = ", ".join(f"{key} by the recipe of {m.family}" for key in own)
    figure = f"model.weights: none{f'; {kept}' if kept else ''}"
    return section(stage, STAGES[stage] | own, rule=RULE, figure=figure)


def _own(family: str, name: str, stage: str) -> dict[str, Any]:
    """Return the values in which the family's networks of that name differ."""
    known = plugins.constant(plugins.FAMILY, family, "FROM_SCRATCH") or {}
    found: dict[str, Any] = {}
    for pattern, stages in known.items():
        if fnmatchcase(name, pattern):
            found |= stages.get(stage, {})
    return found
