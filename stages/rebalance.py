"""Stage rebalance: choose training rows and class weights; validation and test stay as they are."""

from typing import TYPE_CHECKING

from thawline.params import plugins
from thawline.params.schema.whole import Params
from thawline.pipeline import stage_main
from thawline.runtime.output_paths import INGEST, REPORTS, ROWS, write_csv, write_metrics
from thawline.runtime.progress import log
from thawline.tracking.client import StageRun

if TYPE_CHECKING:
    import numpy as np


def main(params: Params, run: StageRun) -> None:
    import numpy as np

    from thawline.dataset.manifest import Manifest
    from thawline.dataset.rows import Rows
    from thawline.runtime.escape import visible

    p = params.rebalance
    manifest = Manifest.read(INGEST)
    train = manifest.rows("train")
    run.require()
    takes_features = "features" in plugins.input_names(plugins.STRATEGY, p.strategy)
    inputs = {"features": _features(params, train)} if takes_features else {}
    plan = plugins.load(plugins.STRATEGY, p.strategy).plan(
        manifest.labels[train],
        len(manifest.classes),
        rng=np.random.default_rng(params.seed),
        **inputs,
        **p.options,
    )
    if plan.reason:
        log(f"rebalance: {p.strategy}: {plan.reason}")
        run.tags({"rebalance.reason": plan.reason})
        run.params({"rebalance.reason": plan.reason})
    if plan.corrects_twice():
        log(f"warning: {p.strategy} repeats rows and weights classes, which corrects twice")
    rows = Rows(indices=train[plan.indices], class_weights=plan.class_weights, targets=plan.targets)
    rows.write(ROWS)
    before = manifest.counts("train")
    after = rows.counts(manifest.labels, len(manifest.classes))
    metrics = {
        "rows_before": int(before.sum()),
        "rows_after": int(after.sum()),
        "imbalance_before": float(before.max() / before.min()),
        "imbalance_after": float(after.max() / after.min()),
        "largest_class_weight": float(rows.class_weights.max()),
    }
    write_metrics("rebalance", metrics)
    names = [visible(name) for name in manifest.classes]
    counts = [(c, "before", int(n)) for c, n in zip(names, before, strict=True)]
    counts += [(c, "after", int(n)) for c, n in zip(names, after, strict=True)]
    write_csv(REPORTS / "rebalance" / "classes.csv", ("class", "when", "rows"), counts)
    run.metrics(metrics)


def _features(params: Params, rows: "np.ndarray") -> "np.ndarray":
    """Compute features of training rows, float32 (N, D); only strategies that ask load torch."""
    from thawline.dataset.image_store import ImageStore
    from thawline.features import pretrained_trunk
    from thawline.features.cache import FeatureCache
    from thawline.models import device

    device.setup(threads=params.training.threads, seed=params.seed)
    return pretrained_trunk.features(
        ImageStore(INGEST),
        rows,
        name=params.rebalance.feature_model,
        device=device.select(params.training.device),
        cache=FeatureCache(params.training.cache_gb),
    )


if __name__ == "__main__":
    stage_main.run("rebalance", main)
