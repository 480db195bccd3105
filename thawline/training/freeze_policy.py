"""Apply `trainable` of params: decide which blocks train, and record the decision."""

from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.params.schema import recipes
from thawline.runtime.output_paths import REPORTS
from thawline.runtime.progress import log
from thawline.tracking.client import StageRun
from thawline.training import freeze_decision
from thawline.training.context import Machine, TrainingData
from thawline.training.freeze_decision import FreezeDecision


def decide(
    stage: str,
    section: recipes.RecipeSection,
    network: Network,
    card: ModelConfig,
    data: TrainingData,
    machine: Machine,
    *,
    from_scratch: bool,
    before: FreezeDecision | None,
) -> FreezeDecision:
    """Decide by params which blocks train, or with `auto` by the features of the network.

    `network` is as it comes into the stage and is measured in evaluation mode; `from_scratch` says
    whether it began with random weights; `before` is the decision of the stage before, if any.
    """
    if section.trainable != freeze_decision.AUTO:
        return freeze_decision.given(
            stage, section.trainable, section.num_blocks, from_scratch=from_scratch
        )
    if from_scratch:
        return freeze_decision.whole(stage)
    if before is not None and before.head is not None:
        return freeze_decision.behind_solved_head(stage)
    from thawline.training import layer_probe  # its probes load scikit-learn, which takes 0.7 s

    profile = layer_probe.measure(
        network.to(machine.device).eval(),
        card,
        data.store,
        data.manifest,
        split="val" if before and before.trains_body else "train",
        seed=machine.seed,
        device=machine.device,
        cache=machine.cache,
    )
    return freeze_decision.by_profile(stage, profile)


def record(decided: FreezeDecision, run: StageRun) -> None:
    """Write the decision to the stage's reports and to MLflow."""
    folder = REPORTS / decided.stage
    decided.write(folder)
    run.params({f"{decided.stage}.decision": decided.reason})
    if decided.profile.scores:
        log(f"{decided.stage}: {decided.reason}")
        run.tags({f"{decided.stage}.decision": decided.reason})
        run.artifact(folder / freeze_decision.FILE)
