"""Measure the costs of networks one after another: `python -m thawline.studies.timing FOLDER...`.

After the trials, when nothing else of the study runs; prints JSON, one object per folder.
"""

import json
import sys
from pathlib import Path

from thawline.params import params_file
from thawline.pipeline.forkserver import client

_KEPT = ("latency_ms", "latency_p95_ms", "throughput_per_s", "peak_memory_mb")


def main(folders: list[str]) -> None:
    from thawline.evaluation import evaluate_checkpoint
    from thawline.models.device import select

    checked = params_file.load()
    e, t = checked.evaluate, checked.training
    device = select(t.device).type
    known: dict[str, dict[str, float]] = {}
    found = {}
    for folder in folders:
        same = _network(Path(folder))
        if same not in known:
            costs = evaluate_checkpoint.cost(
                Path(folder),
                repeats=e.latency_repeats,
                batch_size=e.throughput_batch,
                threads=t.threads,
                device=device,
                seed=0,
            )
            known[same] = {name: float(costs[name]) for name in _KEPT}
        found[folder] = known[same]
    print(json.dumps(found))


def _network(folder: Path) -> str:
    """Identify a network without its weights.

    Timed twice, networks that differ in weights alone would seem to differ.
    """
    from thawline.models import checkpoint

    files = sorted((file.name, file.stat().st_size) for file in folder.iterdir())
    return f"{checkpoint.read_card(folder).model_dump_json()} {files}"


if __name__ == "__main__":
    client.hand_over_program("thawline.studies.timing")
    main(sys.argv[1:])
