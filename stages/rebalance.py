"""rebalance: manifest -> training rows and class weights; validation and test stay as they are."""

from thawline import plugins, stage
from thawline.files import INGEST, REPORTS, ROWS, write_csv, write_metrics
from thawline.progress import log
from thawline.sections import Params
from thawline.tracking.client import StageRun


def main(params: Params, run: StageRun) -> None:
    import numpy as np

    from thawline.data.manifest import Manifest
    from thawline.data.rows import Rows

    p = params.rebalance
    manifest = Manifest.read(INGEST)
    train = manifest.rows("train")
    run.require()
    plan = plugins.load(plugins.STRATEGY, p.strategy).plan(
        manifest.labels[train],
        len(manifest.classes),
        rng=np.random.default_rng(params.seed),
        **p.options,
    )
    if plan.reason:
        log(f"rebalance: {p.strategy} chose {plan.reason}")
        run.tags({"rebalance.reason": plan.reason})
        run.params({"rebalance.reason": plan.reason})
    if plan.corrects_twice():
        log(f"warning: {p.strategy} repeats rows and weights classes: that corrects twice")
    rows = Rows(indices=train[plan.indices], class_weights=plan.class_weights)
    rows.write(ROWS)
    before = manifest.counts("train")
    after = np.bincount(manifest.labels[rows.indices], minlength=len(manifest.classes))
    metrics = {
        "rows_before": int(before.sum()),
        "rows_after": int(after.sum()),
        "imbalance_before": float(before.max() / before.min()),
        "imbalance_after": float(after.max() / after.min()),
        "largest_class_weight": float(rows.class_weights.max()),
    }
    write_metrics("rebalance", metrics)
    counts = [(c, "before", int(n)) for c, n in zip(manifest.classes, before, strict=True)]
    counts += [(c, "after", int(n)) for c, n in zip(manifest.classes, after, strict=True)]
    write_csv(REPORTS / "rebalance" / "classes.csv", ("class", "when", "rows"), counts)
    run.metrics(metrics)


if __name__ == "__main__":
    stage.run("rebalance", main)
