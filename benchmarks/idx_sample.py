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

from thawline.errors import UserError
from thawline.ingest.items import Item
from thawline.ingest.sources import idx

_IMAGES, _LABELS = 0x0803, 0x0801


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--train", type=int, required=True, help="rows")
    parser.add_argument("--test", type=int, required=True, help="rows")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        parts = _sampled(given.folder, {"train": given.train, "test": given.test}, given.seed)
        given.target.mkdir(parents=True)
    except UserError as error:
        raise SystemExit(str(error).removeprefix("ingest.path: ")) from None
    except FileExistsError:
        raise SystemExit(f"{given.target} is there already") from None
    for name, (images, labels) in zip(("train", "t10k"), parts, strict=True):
        _write(given.target / f"{name}-images-idx3-ubyte.gz", _IMAGES, images)
        _write(given.target / f"{name}-labels-idx1-ubyte.gz", _LABELS, labels)


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


def _sampled(
    folder: Path, numbers: dict[str, int], seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """uint8 (N, H, W) and (N,) for each split of numbers.

    Raises:
        UserError: files are missing or damaged, or have fewer rows than are asked for.
    """
    items: dict[str, list[Item]] = {split: [] for split in numbers}
    for item in idx.read(folder).items:
        if isinstance(item, Item):
            items[str(item.split)].append(item)
    for split, number in numbers.items():
        if not 1 <= number <= len(items[split]):
            raise UserError(f"--{split}: {number}; allowed: 1 to {len(items[split])}")
    samples = []
    for split, number in numbers.items():
        labels = np.array([item.label for item in items[split]], np.uint8)
        rows = drawn(labels, number, np.random.default_rng(seed))
        images = [np.asarray(items[split][row].payload) for row in rows]
        samples.append((np.stack(images), labels[rows]))
    return samples


def _write(path: Path, magic: int, values: np.ndarray) -> None:
    header = struct.pack(f">{1 + values.ndim}I", magic, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), mtime=0))


if __name__ == "__main__":
    main()
