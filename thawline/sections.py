"""The sections of params.yaml: every knob with its type, unit and range, without defaults.

Without defaults this module only accepts or refuses values, it never supplies one, so it cannot
change a result and is no dependency of a DVC stage.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from thawline.design import Design

Ratio = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
Byte = Annotated[int, Field(ge=0, le=255, strict=True)]
PruneRatios = Annotated[
    tuple[Annotated[float, Field(ge=0, le=0.95)], ...],
    Field(strict=False, min_length=1, max_length=32),
    BeforeValidator(lambda given: [given] if isinstance(given, int | float | str) else given),
]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
PluginName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
PathText = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+$")]
Trainable = Literal["head", "last_blocks", "first_blocks", "all", "norm", "bias", "auto"]
Optimizer = Literal["adam", "adamw", "sgd", "adagrad", "adadelta", "adam_then_sgd"]


class Section(BaseModel):
    """Frozen, keyword-only, no unknown key, no silent conversion, no NaN."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )


class Ingest(Section):
    source: PluginName
    """Module of thawline/data/sources/."""
    path: PathText
    """What the source reads; `data/none` for a source that reads nothing."""
    options: dict[str, Any]
    """Keyword arguments of the source."""
    image_size_px: Annotated[int, Field(ge=16, le=1024)]
    """Side of the packed square images, px."""
    fit: Literal["letterbox", "crop", "stretch"]
    """How an image that is not square becomes square."""
    background: Annotated[tuple[Byte, Byte, Byte], Field(strict=False)]
    """RGB under transparent pixels and beside letterboxed images."""
    encoding: Literal["raw", "jpeg"]
    """How packed images are kept."""
    val_ratio: Annotated[float, Field(gt=0, lt=0.5)]
    test_ratio: Annotated[float, Field(gt=0, lt=0.5)]
    """Share of the images in each split; approximate, a minimum per class is kept."""
    max_bad_ratio: Ratio
    """More unusable files than this share stop the run."""
    near_duplicate_distance: Annotated[int, Field(ge=0, le=8)] | None
    """Bits of 64 in which the hashes of near copies differ at most; null looks for none."""
    conflicts: Literal["drop", "keep_first", "error"]
    """What becomes of a picture under two labels."""
    group_by: Annotated[str, Field(min_length=1, max_length=500)] | None
    """Regular expression with one group, searched for in an image's path; null: no groups."""


class Rebalance(Section):
    strategy: PluginName
    """Module of thawline/rebalance/."""
    options: dict[str, Any]
    """Keyword arguments of the strategy."""
    apply_to: Literal["head", "all"]
    """head: only transfer_learn trains on the rebalanced rows."""
    feature_model: Name
    """An EfficientNet-Lite for the strategies that take features; `model` may be another."""


class Augment(Section):
    policy: PluginName
    """Module of thawline/augment/."""
    file: PathText
    """A policy file for policies that read one, else `data/none`."""
    options: dict[str, Any]
    """Keyword arguments of the policy."""
    minority: Ratio
    """Class size over the largest, after rebalancing, up to which augmented images are added."""
    views: Annotated[int, Field(ge=1, le=64)]
    """Augmented views per image that are computed once for a frozen trunk."""


class Model(Section):
    family: PluginName
    """Module of thawline/architectures/."""
    name: Name
    """Network as torchvision or timm spells it."""
    weights: Literal["imagenet", "none", "file"]
    weights_file: PathText
    """safetensors or weights-only checkpoint, with `weights: file`; else `data/none`."""
    dropout: Annotated[float, Field(ge=0, lt=1)]
    """Share of the features dropped before the classifier."""
    stem: Literal["auto", "imagenet", "small"]
    """small keeps the resolution; auto: small for images of 64 px and less without weights."""
    design: Design
    """How the network departs from its family's own."""


class Training(Section):
    threads: Annotated[int, Field(ge=1, le=512)]
    """Threads of PyTorch; part of the result, since it changes the order of sums."""
    workers: Annotated[int, Field(ge=0, le=128)] | Literal["auto"]
    """Processes that augment; 0 augments in the training process. Does not change the result."""
    batch_size: Annotated[int, Field(ge=2, le=65_536)] | Literal["auto"]
    """Images that make a step together, of all devices; auto: as many as fit on the GPU, which is
    one that can hold fewer with the next larger network."""
    precision: Literal["auto", "float32", "bfloat16"]
    """auto: by the rule of thawline/training/precision.py for the network and the device."""
    device: Literal["auto", "cpu", "cuda"]
    devices: Annotated[int, Field(ge=1, le=4096)]
    """Processes that train together, each on its share of every batch and on a GPU of its own where
    there is one; changes the last bits of a result."""
    deterministic: bool
    """On a GPU: the same bits each time, at the cost of some speed; a CPU always gives them."""
    compile: bool
    """Train through torch.compile: needs a C++ compiler, and about a minute at the start."""
    cache_gb: Annotated[float, Field(ge=0, le=1e6)]
    """Of features of frozen blocks on disk, kept between runs; also the most that `cache: views`
    may take, else the blocks run in each epoch."""
    checkpoint_minutes: Annotated[float, Field(ge=0, le=1e6)]
    """Of training within an epoch after which it is kept too, to go on from; 0: after epochs only.
    Does not change the result."""


class Recipe(Section):
    """What the two training stages share."""

    trainable: Trainable
    """What is trained; everything else is frozen, batch-norm statistics included. `auto` trains
    what follows the block whose features a linear probe finds the best."""
    num_blocks: Annotated[int, Field(ge=0, le=1000)]
    """How many blocks `last_blocks` and `first_blocks` mean; the head always trains."""
    unfreeze_every: Annotated[int, Field(ge=0, le=10_000)]
    """Epochs from one block to the next, from the head towards the input; 0 trains all at once."""
    norm_statistics: Literal["update", "keep"]
    """Of batch norm in blocks that train: taken of each batch and learned anew, or left as they
    came, and used."""
    epochs: Epochs
    optimizer: Optimizer
    learning_rate: Annotated[float, Field(gt=0, le=100)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    """For sgd, with Nesterov's correction; others ignore it."""
    switch: Literal["swats", "plateau", "fixed"]
    """When adam_then_sgd changes over: by the projections of its steps, after epochs without a
    better validation macro-F1, or after a number of epochs."""
    switch_epochs: Epochs
    """Of `plateau` and `fixed`."""
    switch_learning_rate: Annotated[float, Field(gt=0, le=100)]
    """Of SGD then; swats finds its own."""
    weight_decay: Annotated[float, Field(ge=0, le=10)]
    schedule: Literal["cosine", "constant", "step", "plateau", "one_cycle"]
    decay_every: Epochs
    """Of step: epochs from one fall of the rate to the next; of plateau: without a better score."""
    decay_factor: Annotated[float, Field(gt=0, le=1)]
    """Rate after such a fall over that before it."""
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    """Share of the steps in which the learning rate rises: linearly, or as one_cycle does."""
    loss: Literal["cross_entropy", "focal"]
    focal_gamma: Annotated[float, Field(ge=0, le=10)]
    """How much less the focal loss counts what is easy; 0 is cross-entropy, which ignores it."""
    logit_adjustment: Annotated[float, Field(ge=0, le=10)]
    """Tau, the share of the classes' log frequencies in the training logits; 0 switches it off."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    mixup_alpha: Annotated[float, Field(ge=0, le=100)]
    """Of the beta distribution of the shares in which two images are mixed; 0 switches it off."""
    cutmix_alpha: Annotated[float, Field(ge=0, le=100)]
    """Of the beta distribution of the area that comes from another image; 0 switches it off."""
    random_erasing: Ratio
    """Probability that a rectangle of an image is erased."""
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    """Learning rate of a block over that of the next one towards the head."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    """Decay per step of the averaged weights that are evaluated and kept; 0 keeps the last ones."""
    clip_norm: Annotated[float, Field(ge=0, le=1e6)]
    """Length to which longer gradients are cut, over all that trains; 0 leaves them."""
    accumulate: Annotated[int, Field(ge=1, le=100_000)]
    """Batches whose gradients make one step: as of one batch so many times as large, in less
    memory; batch norm sees each by itself."""
    patience: Annotated[int, Field(ge=1, le=10_000)]
    """Epochs without a better validation macro-F1 before training stops."""
    cache: Literal["none", "views"]
    """views: frozen first blocks run once per view of augment.views, whose features then serve
    all epochs, where they fit into training.cache_gb; below a head alone they always do."""


class TransferLearn(Recipe):
    pass


class Distill(Section):
    checkpoint: PathText
    """Folder of a larger model's checkpoint; `data/none` for no teacher."""
    temperature: Annotated[float, Field(gt=0, le=1000)]
    """By which both networks' logits are divided before they are compared."""
    weight: Ratio
    """Of what the teacher says over what the labels say; 0 switches it off."""


class FineTune(Recipe):
    distill: Distill
    """Learn from a larger network too; needs training on images."""


class Prune(Section):
    method: PluginName
    """Module of thawline/compress/pruning/."""
    ratio: PruneRatios
    """Share of the channels that go, 0 for none; of several the best network is picked."""
    scope: Literal["global", "layer"]
    """Channels of all layers are ranked together, or those of each by themselves."""
    iterations: Annotated[int, Field(ge=1, le=100)]
    """Steps in which the ratio is reached."""
    round_to: Annotated[int, Field(ge=1, le=256)]
    """Layers keep multiples of this many channels."""
    epochs: Annotated[int, Field(ge=0, le=10_000)]
    """Of training after each step, with the other values of `fine_tune`; everything trains."""


class Quantize(Section):
    enabled: bool
    """Write an int8 file beside the float one."""
    calibration_images: Annotated[int, Field(ge=1, le=100_000)]
    """Training images whose activations set the ranges."""
    method: Literal["minmax", "entropy", "percentile"]
    """How a range follows from the activations seen."""
    max_drop: Ratio
    """Validation accuracy that an int8 file may lose and still be kept."""


class Compress(Section):
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
    """The interval of challenger - champion, in accuracy, must not reach below -max_drop."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    max_recall_drop: Ratio
    """Of any class, unless it lost a single row."""
    min_rows: Annotated[int, Field(ge=1, le=100_000_000)]
    """Test rows that neither model was trained or tuned on."""


class Budget(Section):
    min_accuracy: Ratio | None
    max_latency_ms: Positive | None
    max_size_mb: Positive | None


class Tracking(Section):
    enabled: bool
    experiment: Name
    model_name: Name


class Params(Section):
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    ingest: Ingest
    rebalance: Rebalance
    augment: Augment
    model: Model
    training: Training
    transfer_learn: TransferLearn
    fine_tune: FineTune
    compress: Compress
    evaluate: Evaluate
    gate: Gate
    budget: Budget
    tracking: Tracking
