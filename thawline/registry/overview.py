"""Draw the Pareto chart over all finished runs of the experiment, and log it to its run."""

import tempfile
from pathlib import Path

from mlflow.entities import Run as MlflowRun

from thawline.plots import pareto, style
from thawline.runtime.escape import visible
from thawline.tracking.closing import DEVICE, FINGERPRINT
from thawline.tracking.store import ROLE, Store

FILE = "pareto.png"
_PAGE = 500
_ACCURACY, _LATENCY, _SIZE = "compress.accuracy", "compress.latency_ms", "compress.size_mb"


def log_pareto(store: Store, parent: str) -> int:
    """Draw the runs that were timed on the parent run's device, and log the chart there.

    Returns:
        Number of runs in the chart; 0 where the parent has no timing, and nothing is logged.
    """
    own = store.client.get_run(parent)
    fingerprint = own.data.tags.get(FINGERPRINT)
    if not fingerprint:
        return 0
    runs = [
        _point(run, own)
        for run in _finished(store, fingerprint)
        if {_ACCURACY, _LATENCY, _SIZE} <= run.data.metrics.keys()
    ]
    if not any(run.marked for run in runs):
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / FILE
        style.save(pareto.picture(runs, own.data.tags.get(DEVICE, "")), path)
        store.client.log_artifact(parent, str(path), "report")
    return len(runs)


def _finished(store: Store, fingerprint: str) -> list[MlflowRun]:
    query = (
        f"tags.`{ROLE}` = 'pipeline' and tags.`{FINGERPRINT}` = '{fingerprint}' "
        "and attributes.status = 'FINISHED'"
    )
    found: list[MlflowRun] = []
    token = None
    while True:
        page = store.client.search_runs(
            [store.experiment_id], query, max_results=_PAGE, page_token=token
        )
        found += page
        token = page.token
        if not token:
            return found


def _point(run: MlflowRun, own: MlflowRun) -> pareto.FinishedRun:
    metrics = run.data.metrics
    return pareto.FinishedRun(
        name=visible(run.info.run_name),
        accuracy=metrics[_ACCURACY],
        latency_ms=metrics[_LATENCY],
        size_mb=metrics[_SIZE],
        comparable=_data(run) == _data(own),
        marked=run.info.run_id == own.info.run_id,
    )


def _data(run: MlflowRun) -> list[str]:
    """List the digests of the data sets that the run used."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return sorted({entry.dataset.digest for entry in inputs})
