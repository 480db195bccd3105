"""Propose the length of the first training: shorter for images like the pretraining data."""

from thawline.advice import from_scratch
from thawline.advice.facts import Facts
from thawline.params.proposal import Proposal, is_auto, section

_OF_PIXELS = ("mixup_alpha", "cutmix_alpha", "random_erasing")
"""Not with a frozen trunk, whose features are computed once."""


def propose(facts: Facts) -> list[Proposal]:
    if facts.params.model.weights == "none":
        return from_scratch.propose(facts.params, "transfer_learn")
    if is_auto(facts.params, "transfer_learn.trainable"):
        return []
    return section(
        "transfer_learn",
        {"trainable": "head", "num_blocks": 0, **dict.fromkeys(_OF_PIXELS, 0.0)},
        rule="head first, then everything that is to train: what is pretrained is not torn apart "
        "by a head that knows nothing yet",
        figure=f"{facts.counts.sum():,} training images on pretrained weights",
    )
