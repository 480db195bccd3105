"""Sections of what follows training: compress, evaluate, gate, budget and tracking."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from thawline.params.schema.base import Name, PluginName, Positive, Ratio, Section

PruneRatios = Annotated[
    tuple[Annotated[float, Field(ge=0, le=0.95)], ...],
    Field(strict=False, min_length=1, max_length=32),
    BeforeValidator(lambda given: [given] if isinstance(given, int | float | str) else given),
]


class Prune(Section):
    """Section `compress.prune`: criterion, ratios and recovery."""

    method: PluginName
    """Module of thawline/compress/pruning/."""
    ratio: PruneRatios
    """Share of the channels that go, 0 for none; of several the best network is picked."""
    scope: Literal["global", "layer"]
    """Layers whose channels are ranked together: all, or each by itself."""
    iterations: Annotated[int, Field(ge=1, le=100)]
    """Steps in which the ratio is reached."""
    round_to: Annotated[int, Field(ge=1, le=256)]
    """Number of channels whose multiples layers keep."""
    epochs: Annotated[int, Field(ge=0, le=10_000)]
    """Epochs of training after each step, otherwise as `fine_tune` says; everything trains."""


class Quantize(Section):
    """Section `compress.quantize`: calibration of the int8 file."""

    enabled: bool
    """Write an int8 file beside the float one."""
    calibration_images: Annotated[int, Field(ge=1, le=100_000)]
    """Training images whose activations set the ranges."""
    method: Literal["minmax", "entropy", "percentile"]
    """Method by which a range follows from the activations."""
    max_drop: Ratio
    """Validation accuracy that an int8 file may lose and still be kept."""


class Compress(Section):
    """Section `compress`: exported files and their checks."""

    opset: Annotated[int, Field(ge=18, le=23)]
    """ONNX operator set."""
    max_difference: Annotated[float, Field(gt=0, le=0.1)]
    """Largest difference of a probability between ONNX Runtime and PyTorch."""
    check_images: Annotated[int, Field(ge=1, le=100_000)]
    """Validation images on which the exported network is compared."""
    pt2: bool
    """Write the network as a file of torch.export too."""
    prune: Prune
    quantize: Quantize


class Evaluate(Section):
    """Section `evaluate`: intervals, timings and explanations."""

    bootstrap_samples: Annotated[int, Field(ge=100, le=1_000_000)]
    calibration_bins: Annotated[int, Field(ge=2, le=1000)]
    latency_repeats: Annotated[int, Field(ge=50, le=100_000)]
    """Timed single-image calls after warm-up."""
    throughput_batch: Annotated[int, Field(ge=1, le=65_536)]
    explanations: bool
    """Draw where the network looked, what it confuses and a map of the test images, and list the
    labels that are likely wrong."""
    corruptions: bool
    """Score the final network under noise, blur, JPEG and other light, at three severities each."""


class Gate(Section):
    """Rules of `thawline publish`; no stage reads them, so a change re-runs nothing."""

    max_drop: Ratio
    """Largest loss of accuracy that the interval of challenger - champion may reach."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    max_recall_drop: Ratio
    """Largest fall of the recall of a class, unless it lost a single row."""
    min_rows: Annotated[int, Field(ge=1, le=100_000_000)]
    """Test rows that neither model was trained or tuned on."""


class Budget(Section):
    """Section `budget`: limits of the model and of the run; null: none."""

    min_accuracy: Ratio | None
    max_latency_ms: Positive | None
    max_size_mb: Positive | None
    max_minutes: Positive | None
    """Minutes of a run from its start; too few for a first answer are refused."""


class Tracking(Section):
    """Section `tracking`: names in MLflow."""

    enabled: bool
    experiment: Name
    model_name: Name
