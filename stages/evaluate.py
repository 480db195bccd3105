"""Stage evaluate: score all checkpoints on the test split, measure cost, write the report."""

import json

from thawline.params.schema.whole import Params
from thawline.pipeline import stage_main
from thawline.runtime.output_paths import (
    INGEST,
    MODELS,
    REPORTS,
    ROWS,
    intact,
    rounded,
    write_json,
    write_metrics,
)
from thawline.tracking.client import StageRun

FOLDER = REPORTS / "evaluate"
CHECKPOINTS = ("transfer_learn", "fine_tune", "compress")


def main(params: Params, run: StageRun) -> None:
    from thawline.cost.hardware import describe
    from thawline.cost.ort_session import INT8_FILE
    from thawline.dataset.image_store import ImageStore
    from thawline.dataset.manifest import Manifest
    from thawline.dataset.rows import Rows
    from thawline.evaluation import predictions
    from thawline.evaluation.evaluate_checkpoint import Judged, card_of, costs, judge
    from thawline.evaluation.results import INT8
    from thawline.models import device
    from thawline.models.checkpoint import WEIGHTS
    from thawline.report import page, report_data, report_figures, summary
    from thawline.runtime.progress import track
    from thawline.training.refit import Refit

    p, threads = params.evaluate, params.training.threads
    run.require()
    device.setup(threads=threads, seed=params.seed)
    manifest, store = Manifest.read(INGEST), ImageStore(INGEST)
    test, val = manifest.rows("test"), manifest.rows("val")
    paths = {name: MODELS / name for name in CHECKPOINTS}
    if (MODELS / "compress" / INT8_FILE).exists():
        paths[INT8] = MODELS / "compress" / INT8_FILE
    last = Refit.read(MODELS / "transfer_learn")
    judged: dict[str, Judged] = {}
    for name, path in track(paths.items(), "scoring", total=len(paths)):
        # Of a head that was fitted to them, the validation rows tell what fits without each say.
        refitted = last if card_of(path).refit else None
        judged[name] = judge(
            path,
            store,
            test,
            manifest.labels[test],
            validation=(val, manifest.labels[val]),
            tuning=None if refitted is None else refitted.validation,
            train_counts=manifest.counts("train"),
            threads=threads,
            calibration_bins=p.calibration_bins,
            bootstrap_samples=p.bootstrap_samples,
            seed=params.seed,
        )
    where = str(device.select(params.training.device))
    speed = costs(
        paths,
        repeats=p.latency_repeats,
        batch_size=p.throughput_batch,
        threads=threads,
        device=where,
        seed=params.seed,
    )
    metrics = {name: dict(found.metrics) for name, found in judged.items()}
    # An ONNX file does not say what it multiplies; compress counted it on the network it came from.
    counted = REPORTS / "compress" / "metrics.json"
    with intact(counted):
        compressed = json.loads(counted.read_text(encoding="utf-8"))
    for name in [name for name in ("compress", INT8) if name in metrics]:
        metrics[name] |= {key: compressed[key] for key in ("parameters", "macs")}
    write_metrics("evaluate", metrics)
    # What ships runs on the CPU, where budgets and comparisons hold; a row of a GPU says so itself.
    measured = {**speed, "device": describe("cpu", threads).as_json()}
    write_json(FOLDER / "speed.json", rounded(measured))
    found = {name: one.probabilities for name, one in judged.items()}
    predictions.write(FOLDER / "predictions.parquet", manifest, test, found)
    evidence = report_figures.Evidence(
        manifest=manifest,
        store=store,
        rows=Rows.read(ROWS),
        test=test,
        final=judged[CHECKPOINTS[-1]],
        training={name: REPORTS / name for name in CHECKPOINTS[:2]},
    )
    predictions.write_plots(FOLDER, manifest, test, evidence.final)
    content = report_data.gather(
        FOLDER,
        evidence,
        params,
        shipped=MODELS / CHECKPOINTS[-1],
        in_torch=MODELS / CHECKPOINTS[-1 if (MODELS / CHECKPOINTS[-1] / WEIGHTS).exists() else -2],
        compressed=compressed,
        pruning=REPORTS / "compress" / "pruning.csv",
    )
    page.write(content)
    for picture in content.pictures:
        if picture.path.stem.endswith(report_figures.OF_STAGES):
            run.artifact(FOLDER / picture.path)
    summary.show(FOLDER)


if __name__ == "__main__":
    stage_main.run("evaluate", main)
