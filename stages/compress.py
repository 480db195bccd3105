"""Stage compress: prune or refit the fine-tuned network, write and check ONNX files."""

from typing import Any

from thawline.params.schema.whole import Params
from thawline.pipeline import stage_main
from thawline.runtime.output_paths import INGEST, MODELS, REPORTS, write_metrics
from thawline.tracking.client import StageRun
from thawline.tracking.closing import numbers

FOLDER = MODELS / "compress"
PRUNING = REPORTS / "compress" / "pruning.csv"


def main(params: Params, run: StageRun) -> None:
    import copy

    import torch

    from thawline.compress import classifier, curve, exports, int8, summary
    from thawline.cost.flops import num_macs, num_parameters
    from thawline.cost.ort_session import INT8_FILE
    from thawline.dataset.image_store import ImageStore
    from thawline.dataset.manifest import Manifest
    from thawline.models import checkpoint
    from thawline.params.schema.design import ORIGINAL
    from thawline.runtime.progress import log
    from thawline.training.refit import Refit

    p, threads = params.compress, params.training.threads
    run.require()
    torch.set_num_threads(threads)
    network, card = checkpoint.load(MODELS / "fine_tune")
    manifest, store = Manifest.read(INGEST), ImageStore(INGEST)
    metrics: dict[str, Any] = {}
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stale in (checkpoint.WEIGHTS, INT8_FILE):  # DVC removes outputs beforehand, python -m not
        (FOLDER / stale).unlink(missing_ok=True)
    if any(p.prune.ratio):
        # Only here, because a run that does not prune need not wait for torch-pruning.
        from thawline.compress.prune_sweep import shrink

        shrunk = shrink(network, card, params)
        network, card = shrunk.network, shrunk.card
        metrics["pruning"] = shrunk.record(PRUNING)
        checkpoint.save(FOLDER, network, card)
    else:
        curve.write(PRUNING, [])
    images = store.take(manifest.rows("val")[: p.check_images])
    metrics |= exports.write(FOLDER, network, card, images, p, threads=threads)
    if p.quantize.enabled:
        metrics["int8"] = int8.add(
            FOLDER / exports.ONNX,
            manifest,
            store,
            seed=params.seed,
            threads=threads,
            **p.quantize.model_dump(exclude={"enabled"}),
        )
    # Last, since everything before is judged by the validation rows.
    start, tuned = MODELS / "transfer_learn", MODELS / "fine_tune"
    last = None if any(p.prune.ratio) else Refit.read(start)
    if last is not None and last.apply(network, start, tuned):
        files = [FOLDER / name for name in (exports.ONNX, INT8_FILE) if (FOLDER / name).exists()]
        if classifier.replace(files, network):
            card = card.model_copy(update={"refit": True})
            checkpoint.save(FOLDER, network, card)
            metrics |= exports.check(FOLDER, network, card, images, p, threads=threads)
            metrics["refit"] = last.scored(manifest.labels[manifest.rows("val")])
    if p.pt2:
        metrics["pt2"] = exports.write_pt2(FOLDER, network, card, images, p)
    checkpoint.write_card(FOLDER, card)
    if card.design != ORIGINAL:
        from thawline.models.surgery import packed_xnor  # loads timm

        bits = copy.deepcopy(network)
        if packed_xnor.pack(
            bits
        ):  # what `convolution: xnor` trained, 32 weights in the room of one
            checkpoint.save(FOLDER, bits, card)
    metrics |= {
        "parameters": num_parameters(network),
        "macs": num_macs(network, card.image_size_px),
    }
    for text in summary.sentences(metrics):
        log(f"compress: {text}")
    run.tags(summary.tags(metrics))
    write_metrics("compress", metrics)
    run.metrics(numbers(metrics))


if __name__ == "__main__":
    stage_main.run("compress", main)
