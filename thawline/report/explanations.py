"""Explain the final network's errors: where it looked, what it confuses, doubtful labels."""

from pathlib import Path, PurePosixPath

import numpy as np
import torch
from matplotlib.figure import Figure

from thawline.evaluation import confusions, embedding_map, gradcam
from thawline.models import checkpoint
from thawline.models.checkpoint import ModelConfig
from thawline.models.inference import BATCH, outputs
from thawline.models.network import Network
from thawline.plots import style
from thawline.report import gallery
from thawline.report.markdown import ReportFigure
from thawline.report.report_figures import Evidence

_SHOWN = 6


def draw(folder: Path, evidence: Evidence, checkpoint_folder: Path) -> list[ReportFigure]:
    """Write the figures into the folder; their paths are relative to its parent.

    Args:
        folder: where the figures go.
        evidence: predictions of the final network.
        checkpoint_folder: the network in PyTorch that the final one was made from; an ONNX file
            has no gradients.
    """
    network, card = checkpoint.load(checkpoint_folder)
    drawn = {
        "attention": (
            "Where the network looked",
            _attention(evidence, network, card),
            f"Grad-CAM of {checkpoint_folder.name} for the predicted class.",
        ),
        "confused_pairs": ("Most confused pairs", _pairs(evidence), ""),
    }
    if len(evidence.test) > 2:
        drawn["embedding"] = ("Map of the test images", _map(evidence, network, card), "")
    pictures = []
    for name, (title, figure, caption) in drawn.items():
        style.save(figure, folder / f"{name}.png")
        path = PurePosixPath(folder.name, f"{name}.png")
        pictures.append(ReportFigure(title=title, path=path, caption=caption))
    return pictures


def _attention(evidence: Evidence, network: Network, card: ModelConfig) -> Figure:
    predicted, classes = evidence.final.probabilities, evidence.manifest.classes
    rows = (
        ("surest mistakes", gallery.confident_mistakes(predicted, evidence.labels, _SHOWN)),
        ("least sure hits", gallery.unsure_hits(predicted, evidence.labels, _SHOWN)),
    )
    shown = []
    for title, at in rows:
        images = evidence.store.take(evidence.test[at])
        heat = gradcam.grad_cam(network, images, predicted[at].argmax(axis=1), card)
        overlays = [gradcam.overlay(*pair) for pair in zip(images, heat, strict=True)]
        captions = [
            f"is {style.label(classes[evidence.labels[i]], 13)}\n"
            f"said {style.label(classes[predicted[i].argmax()], 11)}, {predicted[i].max():.0%}"
            for i in at
        ]
        shown.append((title, list(images), overlays, captions))
    return gallery.with_overlays(shown)


def _pairs(evidence: Evidence) -> Figure:
    found = confusions.most_confused(evidence.final.probabilities, evidence.labels)
    examples = [evidence.store.take(evidence.test[pair.examples]) for pair in found]
    return confusions.draw(found, examples, evidence.manifest.classes)


def _map(evidence: Evidence, network: Network, card: ModelConfig) -> Figure:
    count = min(len(evidence.test), embedding_map.MAX_POINTS)
    at = np.linspace(0, len(evidence.test) - 1, count).astype(int)
    rows = evidence.test[at]
    batches = evidence.store.batches(rows, BATCH)
    device = torch.device("cpu")
    found = outputs(network[:-1], batches, card, precision="float32", device=device)
    features = found.flatten(2).mean(dim=2) if found.ndim == 4 else found.flatten(1)
    return embedding_map.draw(
        features.numpy(), evidence.store.take(rows), evidence.labels[at], evidence.manifest.classes
    )
