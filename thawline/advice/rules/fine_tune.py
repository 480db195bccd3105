"""How deep to thaw: everything after the block whose features are the best."""

from thawline.advice import from_scratch
from thawline.advice.facts import Facts
from thawline.advice.proposal import Proposal, section
from thawline.training import decision


def propose(facts: Facts) -> list[Proposal]:
    if facts.profile is None:
        return section(
            "fine_tune", from_scratch.FINE_TUNE, rule=from_scratch.RULE, figure=from_scratch.FIGURE
        )
    if facts.params.fine_tune.trainable == decision.AUTO:
        return []
    decided = decision.by_profile("fine_tune", facts.profile)
    return section(
        "fine_tune",
        {"trainable": decided.trainable, "num_blocks": decided.num_blocks},
        rule="the more the data resembles the pretraining data, the fewer layers to retrain",
        figure=decided.reason,
    )
