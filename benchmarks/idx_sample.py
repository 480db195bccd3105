"""A sample of an IDX set (the MNIST family), in the same format, for a study on few cores.

    python -m benchmarks.idx_sample FOLDER TARGET --train 2400 --test 400 [--seed 0]

Each class keeps its share, rows are drawn by the seed and keep their order; equal arguments write
equal files.
"""

import argparse
import gzip
import struct
from pathlib import Path

import numpy as np

_IMAGES, _LABELS = 0x0803, 0x0801


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--train", type=int, required=True, help="rows")
    parser.add_argument("--test", type=int, required=True, help="rows")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.target.mkdir(parents=True)
    for part, number in (("train", given.train), ("t10k", given.test)):
        images, labels = _read(given.folder, part)
        rows = drawn(labels, number, np.random.default_rng(given.seed))
        _write(given.target / f"{part}-images-idx3-ubyte.gz", _IMAGES, images[rows])
        _write(given.target / f"{part}-labels-idx1-ubyte.gz", _LABELS, labels[rows])


def drawn(labels: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Rows, int64 (number,), ascending; each class has its share, rounded.

    Args:
        labels: uint8 (N,), N at least number.
    """
    order = rng.permutation(len(labels))
    # Sorted by class, equal steps meet each class as often as it occurs.
    by_class = order[np.argsort(labels[order], kind="stable")]
    steps = ((np.arange(number) + 0.5) * len(labels) / number).astype(np.int64)
    return np.sort(by_class[steps])


def _read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, H, W) and (N,)."""
    raw = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    _, count, height, width = struct.unpack(">4I", raw[:16])
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(count, height, width)
    raw = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return images, np.frombuffer(raw, np.uint8, offset=8)


def _write(path: Path, magic: int, values: np.ndarray) -> None:
    header = struct.pack(f">{1 + values.ndim}I", magic, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), mtime=0))


if __name__ == "__main__":
    main()
