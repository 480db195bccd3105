"""Estimate how long work takes from counts alone, so that equal params give equal plans.

The constants are of one kind of machine, 2 cores of an AMD EPYC with AVX-512 and its products of
bfloat16. On another kind an estimate is off by the same factor everywhere.
"""

from dataclasses import dataclass

STARTUP_S = 10.0
"""Seconds for DVC, MLflow and the libraries: the default run took 51.8 s, its computing alone 41.8
s (docs/performance.md, "Before the work")."""
DECODE_S = 3.3e-3
"""Seconds to decode and pack an image on one core: c_raw of docs/scaling.md, JPEG of 500 x 400
px."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Multiply-accumulates per second and thread, of a kind of network.

    Measured in CPU time with one thread, in batches of 16 and 32 at 64 and 224 px, beside other
    work: EfficientNet-Lite0 and MobileNet v3 (depthwise), ResNet-18 (dense), PyTorch's own
    convolutions. A training step counts as three forward passes.

    Attributes:
        forward: forward pass in float32.
        quick_forward: forward pass in bfloat16.
        training: training in float32; depthwise networks train so in `auto` too.
        quick_training: training in bfloat16.
    """

    forward: float
    quick_forward: float
    training: float
    quick_training: float


DEPTHWISE = Rates(forward=12e9, quick_forward=30e9, training=12e9, quick_training=12e9)
"""Measured: forward 11.5 to 21.8, bfloat16 29.9 to 33.4; training 11.7 to 15.0, and in bfloat16 7.8
to 13.8, for which float32 stands."""
DENSE = Rates(forward=50e9, quick_forward=90e9, training=45e9, quick_training=75e9)
"""Measured: forward 46.8 to 54.3, bfloat16 83.5 to 100; training 44.7 to 52.5, 71.4 to 99.0."""


def first_answer_seconds(
    num_images: int, macs_per_image: float, threads: int, *, rates: Rates = DEPTHWISE
) -> float:
    """Estimate the time to the first trained head: start-up, decoding, one pass over all images.

    Args:
        num_images: images of all splits.
        macs_per_image: multiply-accumulates of the whole network, forwards, in float32.
        threads: threads of PyTorch; decoding takes as many.
        rates: speed of the kind of network.

    Returns:
        Seconds.
    """
    per_image = DECODE_S + macs_per_image / rates.forward
    return STARTUP_S + num_images * per_image / threads


def epoch_seconds(
    num_rows: int,
    macs_forward: float,
    macs_trained: float,
    threads: int,
    bfloat16: bool,
    *,
    rates: Rates = DEPTHWISE,
) -> float:
    """Estimate the seconds of an epoch; a validation pass is one with `macs_trained` 0.

    Args:
        num_rows: training rows.
        macs_forward: multiply-accumulates of an image through all that runs, forwards.
        macs_trained: those of the part that trains, a part of them; its backward pass takes twice
            as many again.
        threads: threads of PyTorch.
        bfloat16: whether it runs in bfloat16.
        rates: speed of the kind of network.
    """
    forward = rates.quick_forward if bfloat16 else rates.forward
    training = rates.quick_training if bfloat16 else rates.training
    per_row = (macs_forward - macs_trained) / forward + 3 * macs_trained / training
    return num_rows * per_row / threads


_ONNX_RATE, _ONNX_CALL_MS = 27e9, 0.2
"""Multiply-accumulates per second and thread of ONNX Runtime in float32, and ms of a call.
Measured of EfficientNet-Lite0, whole and cut, one image, 2 threads: 0.36, 0.46, 2.3, 2.7, 3.9 and
6.3 ms for 9, 13, 109, 124, 196 and 384 million."""


def latency_ms(macs: float, threads: int) -> float:
    """Estimate the latency of the exported file for one image on a CPU, in ms."""
    return _ONNX_CALL_MS + 1e3 * macs / (_ONNX_RATE * threads)
