"""evaluate: all checkpoints -> scores on the test split, cost, figures and the report."""

import json
from functools import partial
from pathlib import Path

from thawline import stage
from thawline.files import (
    INGEST,
    MANIFEST,
    MODELS,
    REPORTS,
    ROWS,
    rounded,
    write_json,
    write_metrics,
)
from thawline.sections import Params
from thawline.tracking.client import StageRun

FOLDER = REPORTS / "evaluate"
CHECKPOINTS = ("transfer_learn", "fine_tune", "compress")


def main(params: Params, run: StageRun) -> None:
    import numpy as np

    from thawline import checkpoint
    from thawline.data.manifest import Manifest
    from thawline.data.rows import Rows
    from thawline.data.store import ImageStore
    from thawline.evaluation import (
        album,
        corruptions,
        label_issues,
        page,
        predictions,
        slices,
        summary,
    )
    from thawline.evaluation.checkpoints import costs, is_onnx, judge, predict
    from thawline.evaluation.results import Results
    from thawline.evaluation.speed import describe
    from thawline.inference import BATCH
    from thawline.progress import track
    from thawline.training import device

    p, threads = params.evaluate, params.training.threads
    run.require()
    device.setup(threads=threads, seed=params.seed)
    manifest, store = Manifest.read(INGEST), ImageStore(INGEST)
    test, val = manifest.rows("test"), manifest.rows("val")
    judged = {
        name: judge(
            MODELS / name,
            store,
            test,
            manifest.labels[test],
            validation=(val, manifest.labels[val]),
            train_counts=manifest.counts("train"),
            threads=threads,
            calibration_bins=p.calibration_bins,
            bootstrap_samples=p.bootstrap_samples,
            seed=params.seed,
        )
        for name in track(CHECKPOINTS, "scoring")
    }
    where = str(device.select(params.training.device))
    speed = costs(
        [MODELS / name for name in CHECKPOINTS],
        repeats=p.latency_repeats,
        batch_size=p.throughput_batch,
        threads=threads,
        device=where,
        seed=params.seed,
    )
    metrics = {name: dict(found.metrics) for name, found in judged.items()}
    # An ONNX file does not say what it multiplies; compress counted it on the network it came from.
    metrics["compress"] |= read_counts(REPORTS / "compress" / "metrics.json")
    write_metrics("evaluate", metrics)
    measured = {**speed, "device": describe(where, threads).as_json()}
    write_json(FOLDER / "speed.json", rounded(measured))
    found = {name: one.probabilities for name, one in judged.items()}
    predictions.write(FOLDER / "predictions.parquet", manifest, test, found)
    evidence = album.Evidence(
        manifest=manifest,
        store=store,
        rows=Rows.read(ROWS),
        test=test,
        final=judged[CHECKPOINTS[-1]],
        training={name: REPORTS / name for name in CHECKPOINTS[:2]},
    )
    predictions.write_plots(FOLDER, manifest, test, evidence.final)
    parts = slices.find(
        evidence.final.probabilities.argmax(axis=1) == evidence.labels,
        slices.columns(
            INGEST / MANIFEST,
            test,
            evidence.labels,
            slices.brightness(store.batches(test, BATCH)),
        ),
    )
    slices.write(FOLDER / "slices.csv", parts)
    robustness = []
    if p.corruptions:
        robustness = corruptions.measure(
            partial(predict, MODELS / CHECKPOINTS[-1], threads=threads),
            partial(store.batches, test, BATCH),
            evidence.labels,
            seed=params.seed,
        )
    corruptions.write(FOLDER / "corruptions.csv", robustness)
    pictures = album.draw(FOLDER / "figures", evidence)
    issues = []
    if p.explanations:
        from thawline.evaluation import explanations

        in_torch = [MODELS / name for name in CHECKPOINTS if not is_onnx(MODELS / name)]
        pictures += explanations.draw(FOLDER / "figures", evidence, in_torch[-1])
        unseen = np.concatenate([val, test])
        issues = label_issues.find(
            unseen,
            manifest.labels[unseen],
            np.concatenate([evidence.final.validation, evidence.final.probabilities]),
        )
    label_issues.write(FOLDER / "label_issues.csv", issues, manifest)
    content = page.Content(
        folder=FOLDER,
        results=Results.read(FOLDER),
        card=checkpoint.read_card(MODELS / CHECKPOINTS[-1]),
        manifest=manifest,
        decisions=album.decisions(evidence),
        classes=album.class_scores(evidence),
        pictures=pictures,
        mistakes=album.mistake_list(evidence),
        slices=parts,
        robustness=robustness,
        issues=issues,
        budget=params.budget.model_dump(),
        bootstrap_samples=p.bootstrap_samples,
        calibration_bins=p.calibration_bins,
    )
    page.write(content)
    summary.show(FOLDER)


def read_counts(path: Path) -> dict[str, float]:
    counted = json.loads(path.read_text(encoding="utf-8"))
    return {key: counted[key] for key in ("parameters", "macs")}


if __name__ == "__main__":
    stage.run("evaluate", main)
