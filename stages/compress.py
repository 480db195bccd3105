"""compress: fine-tuned checkpoint -> ONNX file, checked against PyTorch on validation images."""

from thawline import stage
from thawline.files import INGEST, MODELS, write_metrics
from thawline.sections import Params
from thawline.tracking.client import StageRun


def main(params: Params, run: StageRun) -> None:
    import copy

    import torch

    from thawline import checkpoint
    from thawline.compress.export import export, verify
    from thawline.data.manifest import Manifest
    from thawline.data.store import ImageStore
    from thawline.design import ORIGINAL
    from thawline.evaluation.complexity import num_macs, num_parameters
    from thawline.evaluation.memory import size_mb
    from thawline.inference import probabilities

    p = params.compress
    run.require()
    torch.set_num_threads(params.training.threads)
    network, card = checkpoint.load(MODELS / "fine_tune")
    folder = MODELS / "compress"
    folder.mkdir(parents=True, exist_ok=True)
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
    rows = Manifest.read(INGEST).rows("val")[: p.check_images]
    images = ImageStore(INGEST).take(rows)
    agreement = verify(
        file,
        images,
        probabilities(network, [images], card),
        max_difference=p.max_difference,
        threads=params.training.threads,
    )
    metrics = {
        "max_difference": agreement.max_difference,
        "checked_images": len(rows),
        "size_mb": size_mb(file),
        "parameters": num_parameters(network),
        "macs": num_macs(network, card.image_size_px),
    }
    write_metrics("compress", metrics)
    run.metrics(metrics)


if __name__ == "__main__":
    stage.run("compress", main)
