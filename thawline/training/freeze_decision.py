"""Decide which blocks a training stage trains, and why: by params or by the network's features."""

from dataclasses import asdict, dataclass
from pathlib import Path

from thawline.features.layer_profile import BlockScore, GroupScore, HeadFit, Profile
from thawline.runtime import safe_json
from thawline.runtime.output_paths import intact, rounded, write_json

FILE = "decision.json"
AUTO = "auto"
_NOTHING = Profile(scores=(), split="train", num_rows=0, num_classes=0)
_AT_LEAST = {"transfer_learn": 0, "fine_tune": 1}
"""Fewest blocks that train, although the last one's features are the best: "only the head (and
little more)". transfer_learn keeps to the head, whose features are then computed once."""
_TIMES = 2
"""Factor on the blocks after the best features; with 1, `auto` was 0.9 to 2.0 points behind the
best fixed depth (docs/depth.md)."""


@dataclass(frozen=True, kw_only=True)
class FreezeDecision:
    """Blocks that a stage trains, and the reason.

    Attributes:
        trainable, num_blocks: arguments of thawline/training/freezing.py; never `auto`.
        from_scratch: whether the network began with random weights.
        reason: one line, for a person.
        profile: scores that `auto` measured; none where nothing was measured.
        head: scores by which a head solved in closed form was chosen.
        outcome: result of a fine-tuning from such a head, one line.
    """

    stage: str
    trainable: str
    num_blocks: int
    from_scratch: bool
    reason: str
    profile: Profile = _NOTHING
    head: HeadFit | None = None
    outcome: str = ""

    @property
    def trains_body(self) -> bool:
        """True where more than the head trains."""
        by_number = self.trainable in ("last_blocks", "first_blocks")
        return self.num_blocks > 0 if by_number else self.trainable != "head"

    def write(self, folder: Path) -> None:
        """Write the decision as JSON, numbers rounded."""
        write_json(folder / FILE, rounded(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "FreezeDecision":
        """Read what `write` wrote.

        Raises:
            UserError: the file is missing or damaged.
        """
        with intact(folder / FILE):
            raw = safe_json.loads((folder / FILE).read_text(encoding="utf-8"))
            profile = raw.pop("profile")
            scores = tuple(BlockScore(**score) for score in profile.pop("scores"))
            head = raw.pop("head", None)
            if head is not None:
                tried = tuple(GroupScore.read(group) for group in head.pop("tried"))
                head = HeadFit(chosen=GroupScore.read(head.pop("chosen")), tried=tried, **head)
            return cls(**raw, profile=Profile(scores=scores, **profile), head=head)


def given(stage: str, trainable: str, num_blocks: int, *, from_scratch: bool) -> FreezeDecision:
    """Take `trainable` and `num_blocks` from params."""
    number = f", num_blocks: {num_blocks}" if trainable in ("last_blocks", "first_blocks") else ""
    return FreezeDecision(
        stage=stage,
        trainable=trainable,
        num_blocks=num_blocks,
        from_scratch=from_scratch,
        reason=f"`trainable: {trainable}`{number}, as params.yaml says",
    )


def behind_solved_head(stage: str) -> FreezeDecision:
    """Train all that is left of a network cut for a head solved in closed form."""
    reason = "the network was cut after the blocks that its head reads: what is left trains"
    return FreezeDecision(
        stage=stage, trainable="all", num_blocks=0, from_scratch=False, reason=reason
    )


def whole(stage: str) -> FreezeDecision:
    """Train everything, for a network that began with random weights."""
    reason = "`model.weights: none`: random weights hold nothing worth keeping, so all blocks train"
    return FreezeDecision(
        stage=stage, trainable="all", num_blocks=0, from_scratch=True, reason=reason
    )


def by_profile(stage: str, profile: Profile) -> FreezeDecision:
    """Train the head, the blocks after the best features, and as many before those.

    The best features are those of the first block among the best. From there on pretraining leads
    away from this task; the blocks that made them still gain by training, the more of them the
    earlier they lie.
    """
    count = max(min(_TIMES * profile.num_after, len(profile.scores)), _AT_LEAST[stage])
    return FreezeDecision(
        stage=stage,
        trainable="last_blocks" if count else "head",
        num_blocks=count,
        from_scratch=False,
        reason=_reason(profile, count),
        profile=profile,
    )


def warning(decision: FreezeDecision) -> str:
    """Warn of training only a part of a random network; empty where all of it trains."""
    if not decision.from_scratch or decision.trainable == "all":
        return ""
    return (
        f"{decision.stage}.trainable: {decision.trainable} leaves random weights as they are "
        "(model.weights: none); `all` or `auto` trains the whole network"
    )


def _reason(profile: Profile, count: int) -> str:
    if not profile.scores:
        return (
            f"no two classes have enough {profile.split} rows to compare the blocks; with so few "
            f"images it trains {_trained(count)}"
        )
    scores = profile.scores
    best, chosen, last = scores[profile.best], scores[profile.chosen], scores[-1]
    on = f"on {profile.num_rows:,} {profile.split} images of {profile.num_classes} classes"
    text = f"a linear probe {on} has an accuracy of {_percent(chosen)} after {chosen.block}"
    if chosen is not best:
        text += f", within a standard error of the best ({_percent(best)} after {best.block})"
    if chosen is last:
        text += ", the last block"
    elif best is not last:
        text += f", and of {_percent(last)} after {last.block}, the last block"
    return f"{text}; {_logme(profile)}; so it trains {_trained(count)}{_why(profile, count)}"


def _why(profile: Profile, count: int) -> str:
    after, block = profile.num_after, profile.scores[profile.chosen].block
    if count <= after or not after:
        return ""
    return f" ({after} after {block}, {count - after} up to it)"


def _logme(profile: Profile) -> str:
    highest = max(profile.scores, key=lambda score: score.logme)
    return f"LogME is highest after {highest.block}"


def _trained(count: int) -> str:
    if not count:
        return "the head alone"
    return "the last block and the head" if count == 1 else f"the last {count} blocks and the head"


def _percent(score: BlockScore) -> str:
    return f"{100 * score.accuracy:.1f} % (± {100 * score.error:.1f})"
