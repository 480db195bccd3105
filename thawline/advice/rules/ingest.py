"""Propose image size and the search for near copies, by the images' resolution."""

from thawline.advice.facts import Facts
from thawline.params.proposal import Proposal, is_auto

_STEP_PX = 32
"""Networks halve the side five times."""
_PHOTOGRAPH_PX = 64
_NEAR_BITS = 4


def propose(facts: Facts) -> list[Proposal]:
    return [*_size(facts), *_near(facts)]


def _size(facts: Facts) -> list[Proposal]:
    if is_auto(facts.params, "ingest.image_size_px"):
        return []
    now = facts.params.ingest.image_size_px
    wanted = min(facts.side_px, facts.pretrained_px) // _STEP_PX * _STEP_PX
    if now == "auto" or wanted < 2 * now:
        return []
    return [
        Proposal(
            key="ingest.image_size_px",
            value=wanted,
            rule="a network sees best at the size that it was trained at; work grows by the square",
            figure=f"median shorter side {facts.side_px} px, the weights expect "
            f"{facts.pretrained_px} px; {(wanted / now) ** 2:.1f} times the MACs",
        )
    ]


def _near(facts: Facts) -> list[Proposal]:
    if facts.params.ingest.near_duplicate_distance is not None or facts.side_px < _PHOTOGRAPH_PX:
        return []
    return [
        Proposal(
            key="ingest.near_duplicate_distance",
            value=_NEAR_BITS,
            rule="a near copy of a training image in another split is an error",
            figure=f"median shorter side {facts.side_px} px: large enough to tell near copies",
        )
    ]
