"""pictures: what ingest found -> the report on the data set, with its pictures."""

from thawline.params.schema.whole import Params
from thawline.pipeline import stage_main
from thawline.runtime.output_paths import INGEST, REPORTS
from thawline.tracking.client import StageRun


def main(params: Params, run: StageRun) -> None:  # noqa: ARG001 - as all stages
    from thawline.dataset.image_store import ImageStore
    from thawline.dataset.manifest import Manifest
    from thawline.ingest.decided import Decided
    from thawline.ingest.findings import FOLDER, Findings
    from thawline.report.data import page
    from thawline.report.data.contents import Contents

    run.require()
    folder = REPORTS / "ingest"
    contents = Contents(
        manifest=Manifest.read(INGEST),
        store=ImageStore(INGEST),
        decided=Decided.read(INGEST),
        **vars(Findings.read(folder / FOLDER)),
    )
    page.write(folder, contents)
    for name in ("report.md", "pictures"):
        run.artifact(folder / name, "data")


if __name__ == "__main__":
    stage_main.run("pictures", main)
