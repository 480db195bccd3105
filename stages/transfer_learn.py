"""Stage transfer_learn: give a pretrained network with a frozen trunk a trained head."""

from thawline.params.schema.whole import Params
from thawline.pipeline import stage_main
from thawline.runtime.output_paths import INGEST, MODELS, REPORTS
from thawline.tracking.client import StageRun


def main(params: Params, run: StageRun) -> None:
    from thawline.dataset.manifest import Manifest
    from thawline.evaluation import network_summary
    from thawline.ingest.decided import Decided
    from thawline.models.pretrained import Loaded
    from thawline.models.surgery.record import record_of
    from thawline.runtime import torchrun
    from thawline.runtime.progress import log
    from thawline.training import create_network, refit
    from thawline.training.solve_stage import solve_stage
    from thawline.training.stage import train_stage

    def record(loaded: Loaded) -> None:
        log(str(loaded))
        run.tags(loaded.tags())

    run.require()
    classes = Manifest.read(INGEST).classes
    network, card = create_network.network_of(params, classes, Decided.read(INGEST), record)
    (MODELS / "transfer_learn" / refit.FILE).unlink(missing_ok=True)  # of a run without DVC
    section, from_scratch = params.transfer_learn, params.model.weights == "none"
    solved = section.is_closed_form(from_scratch=from_scratch)
    if solved:
        network = solve_stage("transfer_learn", network, card, params, section, run)
    if torchrun.is_main():
        run.tags(record_of(network).summary())
        summary = REPORTS / "transfer_learn" / "network.md"
        network_summary.write(summary, params.model.name, network, card.image_size_px)
        run.artifact(summary)
    if not solved:
        train_stage(
            "transfer_learn", network, card, params, section, run, from_scratch=from_scratch
        )


if __name__ == "__main__":
    stage_main.run("transfer_learn", main)
