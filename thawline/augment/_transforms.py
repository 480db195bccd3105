"""Make augmented views of images; the only importer of albumentations.

A policy is plain data (a list of steps), so it can be stored, compared and read from a file;
this module turns it into transforms. albumentations 2.0.8, its last release under MIT, repeats
views between workers and epochs whatever its seed: here the seed of each view follows from its
epoch, row and repeat, so it depends neither on the number of workers nor on earlier draws.
"""

import hashlib
import inspect
import os
import random
import sys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network at import
# It imports PyTorch, a second and more, for what makes tensors of images: nothing here does.
_TENSORS = "albumentations.pytorch"
sys.modules.setdefault(_TENSORS, None)  # type: ignore[arg-type]

import albumentations as A  # noqa: E402 - after what it looks at

if sys.modules[_TENSORS] is None:
    del sys.modules[_TENSORS]

Step = dict[str, Any]
"""Step of a policy: {"name": class of albumentations, "p": probability, ... its arguments}.

A group has "steps": OneOf runs one of them, SomeOf "n" of them in their order, RandomOrder "n" of
them in any; with "replace" a step can be drawn twice.
"""

_GROUPS = {"OneOf": A.OneOf, "SomeOf": A.SomeOf, "RandomOrder": A.RandomOrder}

ALLOWED = frozenset(
    {
        "Affine", "AutoContrast", "CLAHE", "CoarseDropout", "ColorJitter", "D4", "Downscale",
        "ElasticTransform", "Equalize", "Erasing", "GaussNoise", "GaussianBlur", "GridDistortion",
        "HorizontalFlip", "HueSaturationValue", "ISONoise", "ImageCompression", "MotionBlur",
        "Morphological", "NoOp", "OpticalDistortion", "Perspective", "PlanckianJitter", "Posterize",
        "RGBShift", "RandomBrightnessContrast", "RandomFog", "RandomGamma", "RandomRain",
        "RandomResizedCrop", "RandomRotate90", "RandomShadow", "RandomSunFlare", "RandomToneCurve",
        "Rotate", "SafeRotate", "Sharpen", "Solarize", "ToGray", "VerticalFlip", *_GROUPS,
    }
)  # fmt: skip
"""Classes that only change pixels; others can load files or code."""


def build(policy: Sequence[Step]) -> A.Compose:
    """Build a pipeline of transforms for uint8 (S, S, 3) images.

    Raises:
        ValueError: a class is not in ALLOWED, or albumentations refuses its arguments.
    """
    cv2.setNumThreads(1)  # images are small: threads cost more than they save, and steal cores
    return A.Compose([_transform(step) for step in policy])


def argument_names(name: str) -> tuple[str, ...]:
    """List the keys that a step of a class in ALLOWED may have besides its name."""
    if name in _GROUPS:
        return ("steps", "p") if name == "OneOf" else ("steps", "n", "replace", "p")
    return tuple(inspect.signature(getattr(A, name)).parameters)


class Views:
    """Augmented views of training images, by a policy and a seed."""

    def __init__(self, policy: Sequence[Step], seed: int) -> None:
        self._compose = build(policy)
        self._seed = seed
        self._identity = not policy
        # One pair of generators for all transforms: albumentations' set_random_seed gives each its
        # own of the same seed, so that e.g. a flip and a jitter of p 0.5 always come together.
        self._random, self._py_random = np.random.Generator(np.random.PCG64()), random.Random()
        self._compose.set_random_state(self._random, self._py_random)

    def __call__(self, image: np.ndarray, *, epoch: int, row: int, repeat: int) -> np.ndarray:
        """Make one view, uint8 (S, S, 3); equal arguments give equal pixels.

        Args:
            image: uint8 (S, S, 3).
            epoch: views differ between epochs.
            row: row of the manifest.
            repeat: number of the copy, where rebalancing shows a row several times in an epoch.
        """
        if self._identity:
            return image
        self._start_at(f"{self._seed}/{epoch}/{row}/{repeat}")
        view: np.ndarray = self._compose(image=image)["image"]
        return view

    def _start_at(self, name: str) -> None:
        """Seed both generators by a hash of the name.

        In place and without NumPy's SeedSequence: new generators for every transform took a third
        of a view's time, and seeding PCG64 by a number three times as long as this.
        """
        digest = hashlib.blake2b(name.encode(), digest_size=32).digest()
        state, step = (int.from_bytes(half, "little") for half in (digest[:16], digest[16:]))
        self._random.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": state, "inc": step | 1},  # PCG's step is odd
            "has_uint32": 0,
            "uinteger": 0,
        }
        self._py_random.seed(state)


def repeats(indices: np.ndarray) -> np.ndarray:
    """Count for each position how often its row occurs before it, int64 (M,)."""
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    counts = np.arange(len(ordered)) - np.repeat(starts, lengths)
    out = np.empty(len(indices), dtype=np.int64)
    out[order] = counts
    return out


def _transform(step: Step) -> A.BasicTransform | A.BaseCompose:
    arguments = dict(step)
    name = arguments.pop("name")
    if name not in ALLOWED:
        raise ValueError(f"augment: {name!r} is not allowed; allowed: {', '.join(sorted(ALLOWED))}")
    if name in _GROUPS:
        steps = [_transform(inner) for inner in arguments.pop("steps")]
        return _GROUPS[name](steps, **arguments)
    return getattr(A, name)(**{key: _tuples(value) for key, value in arguments.items()})


def _tuples(value: Any) -> Any:
    """Turn lists, which JSON has, into tuples, which albumentations wants."""
    return tuple(value) if isinstance(value, list) else value
