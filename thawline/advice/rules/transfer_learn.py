"""How much to train first: the more the images resemble the pretraining data, the less."""

from thawline.advice import from_scratch
from thawline.advice.facts import Facts
from thawline.advice.proposal import Proposal, section
from thawline.advice.rules import _epochs
from thawline.training import decision

_OF_PIXELS = ("mixup_alpha", "cutmix_alpha", "random_erasing")
"""Not with a frozen trunk, whose features are computed once."""


def propose(facts: Facts) -> list[Proposal]:
    if facts.params.model.weights == "none":
        return from_scratch.propose(facts.params, "transfer_learn")
    return [*_depth(facts), *_smoothing(facts), *_epochs.propose(facts, "transfer_learn")]


def _depth(facts: Facts) -> list[Proposal]:
    if facts.params.transfer_learn.trainable == decision.AUTO:
        return []
    return section(
        "transfer_learn",
        {"trainable": "head", "num_blocks": 0, **dict.fromkeys(_OF_PIXELS, 0.0)},
        rule="head first, then everything that is to train: what is pretrained is not torn apart "
        "by a head that knows nothing yet",
        figure=f"{facts.counts.sum():,} training images on pretrained weights",
    )


def _smoothing(facts: Facts) -> list[Proposal]:
    """A head without it ends with large outputs, and that of fine_tune then tears at the trunk."""
    if facts.gained is None or facts.gained >= 0:
        return []
    return section(
        "transfer_learn",
        {"label_smoothing": facts.params.fine_tune.label_smoothing},
        rule="train the head by the loss that goes on with it: good features are soon lost",
        figure=f"fine-tuning ended {-100 * facts.gained:.1f} points of macro-F1 below its start",
    )
