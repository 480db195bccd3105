"""Find a learning rate for a stage on its own network and data: `thawline find-lr`."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest.decided import Decided
from thawline.models import checkpoint
from thawline.params.schema.whole import Params
from thawline.plots import style
from thawline.runtime.output_paths import INGEST, MINORITY, MODELS, POLICY, REPORTS, ROWS
from thawline.training import auto_recipe, batch_size, create_network, freeze_policy, lr_finder
from thawline.training.freeze_decision import FreezeDecision
from thawline.training.lr_finder import Curve
from thawline.training.recipe import Recipe
from thawline.training.stage import prepare

STAGES = ("transfer_learn", "fine_tune")


def find(stage: str, params: Params) -> tuple[Curve, Path]:
    """Run the learning-rate finder and draw its curve; nothing that DVC tracks is changed.

    Returns:
        The curve, and the picture under reports/find_lr/.

    Raises:
        UserError: the stage is unknown, or its inputs do not exist yet.
    """
    if stage not in STAGES:
        raise UserError(f"--stage: {stage!r} does not train; allowed: {', '.join(STAGES)}")
    before = MODELS / "transfer_learn" if stage == "fine_tune" else None
    for path in (INGEST, ROWS, POLICY, MINORITY, *([before] if before else [])):
        if not path.exists():
            raise UserError(f"{path}: is not there yet; `dvc repro {stage}` makes it")
    data, machine = prepare(stage, params)
    decided = None
    if before is None:
        classes = Manifest.read(INGEST).classes
        network, card = create_network.network_of(
            params, classes, Decided.read(INGEST), lambda _: None
        )
        from_scratch = params.model.weights == "none"
    else:
        network, card = checkpoint.load(before)
        decided = FreezeDecision.read(REPORTS / "transfer_learn")
        from_scratch = decided.from_scratch
    section = getattr(params, stage)
    chosen = freeze_policy.decide(
        stage, section, network, card, data, machine, from_scratch=from_scratch, before=decided
    )
    what = {"trainable": chosen.trainable, "num_blocks": chosen.num_blocks}
    size = batch_size.choose(params, network, card, machine)
    knobs = auto_recipe.resolved(section, from_scratch=from_scratch)
    recipe = Recipe(stage=stage, batch_size=size, **knobs | what)
    curve = lr_finder.run(network, card, data, recipe, machine)
    picture = REPORTS / "find_lr" / f"{stage}.png"
    style.save(draw(curve, stage, recipe.learning_rate), picture)
    return curve, picture


@style.styled
def draw(curve: Curve, stage: str, present: float) -> Figure:
    """Plot the smoothed loss by learning rate, with the suggestion and the rate of params."""
    drawn = style.figure(6.5, 4.0, f"Learning rates for {stage}")
    axis = drawn.subplots()
    axis.semilogx(curve.rates, curve.losses, color=style.BLUE, lw=1.8)
    # matplotlib's own are mathematics, which the project's style shows as they are written.
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.axvline(
        curve.suggestion, color=style.GREEN, lw=1.4, label=f"suggestion {curve.suggestion:g}"
    )
    axis.axvline(present, color=style.ORANGE, lw=1.4, ls="--", label=f"params.yaml {present:g}")
    axis.set_xlabel("learning rate")
    axis.set_ylabel("training loss, smoothed")
    axis.legend()
    return drawn
