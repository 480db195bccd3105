"""Stage fine_tune: train the last blocks of the transferred network too."""

from thawline.params.schema.whole import Params
from thawline.pipeline import stage_main
from thawline.runtime.output_paths import MODELS, REPORTS
from thawline.tracking.client import StageRun


def main(params: Params, run: StageRun) -> None:
    from thawline.models import checkpoint
    from thawline.training.freeze_decision import FreezeDecision
    from thawline.training.stage import train_stage

    run.require()
    network, card = checkpoint.load(MODELS / "transfer_learn")
    before = FreezeDecision.read(REPORTS / "transfer_learn")
    train_stage(
        "fine_tune",
        network,
        card,
        params,
        params.fine_tune,
        run,
        from_scratch=before.from_scratch,
        before=before,
    )


if __name__ == "__main__":
    stage_main.run("fine_tune", main)
