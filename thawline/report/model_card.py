"""Write the model card that goes to the registry with a version.

After M. Mitchell et al., 2019, "Model cards for model reporting", in the sections that Hugging Face
uses. It holds nothing that was timed, so equal models have equal cards.
"""

import json
from collections.abc import Mapping, Sequence

from thawline.dataset.manifest import Manifest
from thawline.evaluation.results import Results
from thawline.evaluation.slices import Slice
from thawline.models.checkpoint import ModelConfig
from thawline.plots.quantities import count, megabytes, percent
from thawline.report import score_table
from thawline.report.markdown import ClassScore
from thawline.runtime.escape import markdown

_MAX_CLASSES = 50
_WEAK = 3


def render(
    results: Results,
    *,
    card: ModelConfig,
    manifest: Manifest,
    decisions: Mapping[str, str],
    classes: Sequence[ClassScore],
    slices: Sequence[Slice],
) -> str:
    """Format the card of the last checkpoint as Markdown.

    Args:
        results: results of all checkpoints.
        card: configuration of the network.
        manifest: the data set.
        decisions: why each training stage trained what it trained.
        classes: scores of the last checkpoint per class.
        slices: scores of the last checkpoint on parts of the test rows.
    """
    parts = [
        _front_matter(results, card),
        f"# {card.name}, {len(card.classes):,} classes",
        "## Model details",
        _details(results, card),
        "## Uses",
        "Assigns an image to one of the classes below. It always names one of them, also "
        "for an image that shows none: compare the entropy of its answer with the threshold in "
        "`risk_coverage.csv`, and leave doubtful images to people.",
        _class_list(card),
        "## Training data",
        _training_data(manifest),
        "## Training procedure",
        "\n".join(f"- {stage}: {reason}." for stage, reason in decisions.items()),
        "## Evaluation",
        _evaluation(results),
        "## Bias, risks and limitations",
        _limits(classes, slices),
        "## How to get started",
        f"`thawline predict IMAGE`, or `model.onnx` in ONNX Runtime: input `images`, uint8 (N, "
        f"{card.image_size_px}, {card.image_size_px}, 3), RGB ({card.fit}); output "
        "`probabilities`, float32 (N, classes). Normalisation is inside.",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(results: Results, card: ModelConfig) -> str:
    """Format the YAML that registries read; JSON strings are YAML strings."""
    row = results.metrics[results.final]
    lines = [
        "---",
        "pipeline_tag: image-classification",
        "library_name: onnx",
        f"tags: [image-classification, thawline, {json.dumps(card.family)}]",
        "metrics: [accuracy, f1]",
        "model-index:",
        f"- name: {json.dumps(card.name)}",
        "  results:",
        "  - task: {type: image-classification}",
        "    dataset: {name: the test split, type: image}",
        "    metrics:",
        f"    - {{type: accuracy, value: {row['accuracy']:.6f}}}",
        f"    - {{type: f1, name: macro-F1, value: {row['macro_f1']:.6f}}}",
        "---",
    ]
    return "\n".join(lines)


def _details(results: Results, card: ModelConfig) -> str:
    row = results.metrics[results.final]
    return "\n".join([
        f"- Network: {card.family}, {card.name}, images of {card.image_size_px} px",
        f"- Parameters: {count(row['parameters'])}; {count(row['macs'])} multiply-accumulates per "
        "image",
        f"- File: {megabytes(row['size_mb'])}",
    ])  # fmt: skip


def _class_list(card: ModelConfig) -> str:
    shown = ", ".join(markdown(name, 40) for name in card.classes[:_MAX_CLASSES])
    more = len(card.classes) - _MAX_CLASSES
    return f"Classes: {shown}{f' and {more:,} more' if more > 0 else ''}."


def _training_data(manifest: Manifest) -> str:
    train = manifest.counts("train")
    return (
        f"{train.sum():,} images; the commonest class has {train.max():,}, the rarest "
        f"{train.min():,}. {manifest.counts('val').sum():,} further images chose among settings, "
        f"{manifest.counts('test').sum():,} were kept for the evaluation below. Hash of pixels, "
        f"labels and splits: `{manifest.digest()}`."
    )


def _evaluation(results: Results) -> str:
    rows = [f"| {name} | {value} | {bounds} |" for name, value, bounds in score_table.lines(
        results.metrics[results.final]
    )]  # fmt: skip
    head = "| score | value | 95 % interval |\n| --- | ---: | ---: |"
    row = results.metrics[results.final]
    on = score_table.wide_before_much(row) or f"On {row['num_images']:,} test images"
    return "\n".join([f"{on}:\n", head, *rows])


def _limits(classes: Sequence[ClassScore], slices: Sequence[Slice]) -> str:
    weakest = sorted((c for c in classes if c.support), key=lambda c: c.recall)[:_WEAK]
    weak = ", ".join(f"{markdown(c.name, 40)} ({percent(c.recall)})" for c in weakest)
    worse = [f"{markdown(s.column, 24)} {markdown(s.value, 40)} ({percent(s.accuracy)})"
             for s in slices if s.worse]  # fmt: skip
    lines = [
        "- The scores hold for images like those it was tested on, and for nothing else.",
        f"- Classes with the lowest recall: {weak}.",
        f"- Kinds of images with credibly lower accuracy: {', '.join(worse) or 'none was found'}.",
    ]
    return "\n".join(lines)
