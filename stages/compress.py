"""compress: fine-tuned checkpoint -> ONNX files, checked against PyTorch on validation images."""

from typing import Any

from thawline import stage
from thawline.files import INGEST, MODELS, REPORTS, write_metrics
from thawline.sections import Params
from thawline.tracking.client import StageRun
from thawline.tracking.closing import numbers

PRUNING = REPORTS / "compress" / "pruning"


def main(params: Params, run: StageRun) -> None:
    import copy

    import torch

    from thawline import checkpoint
    from thawline.compress import int8, outcome
    from thawline.compress.export import export, verify
    from thawline.data.manifest import Manifest
    from thawline.data.store import ImageStore
    from thawline.design import ORIGINAL
    from thawline.evaluation.complexity import num_macs, num_parameters
    from thawline.evaluation.memory import size_mb
    from thawline.inference import probabilities
    from thawline.progress import log

    p = params.compress
    run.require()
    torch.set_num_threads(params.training.threads)
    network, card = checkpoint.load(MODELS / "fine_tune")
    folder = MODELS / "compress"
    folder.mkdir(parents=True, exist_ok=True)
    PRUNING.mkdir(parents=True, exist_ok=True)  # DVC wants its outputs
    metrics: dict[str, Any] = {"opset": p.opset}
    if any(p.prune.ratio):
        # Only here, because a run that does not prune need not wait for torch-pruning.
        from thawline.compress.shrink import shrink

        shrunk = shrink(network, card, params)
        network, card = shrunk.network, shrunk.card
        metrics["pruning"] = shrunk.record(PRUNING)
        checkpoint.save(folder, network, card)
    file = folder / "model.onnx"
    export(
        network, file, image_size_px=card.image_size_px, mean=card.mean, std=card.std, opset=p.opset
    )
    checkpoint.write_card(folder, card)
    if card.design != ORIGINAL:
        from thawline.surgery import packed  # loads timm

        bits = copy.deepcopy(network)
        if packed.pack(bits):  # what `convolution: xnor` trained, 32 weights in the room of one
            checkpoint.save(folder, bits, card)
    manifest, store = Manifest.read(INGEST), ImageStore(INGEST)
    rows = manifest.rows("val")[: p.check_images]
    images = store.take(rows)
    agreement = verify(
        file,
        images,
        probabilities(network, [images], card),
        max_difference=p.max_difference,
        threads=params.training.threads,
    )
    metrics |= {
        "max_difference": agreement.max_difference,
        "checked_images": len(rows),
        "size_mb": size_mb(file),
        "parameters": num_parameters(network),
        "macs": num_macs(network, card.image_size_px),
    }
    if p.quantize.enabled:
        metrics["int8"] = int8.add(
            file,
            manifest,
            store,
            seed=params.seed,
            threads=params.training.threads,
            **p.quantize.model_dump(exclude={"enabled"}),
        )
    for text in outcome.sentences(metrics):
        log(f"compress: {text}")
    run.tags(outcome.tags(metrics))
    write_metrics("compress", metrics)
    run.metrics(numbers(metrics))


if __name__ == "__main__":
    stage.run("compress", main)
