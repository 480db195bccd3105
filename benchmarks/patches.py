"""A data set of surfaces, cut from photographs: each photograph is a class.

    python -m benchmarks.patches PHOTOGRAPHS OUT [--side 64] [--most 600]

Squares that do not overlap, spread evenly over each photograph; those of one colour are left out.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

_LEAST_SPREAD = 4.0
"""Standard deviation of the grey values, of 255: below it there is nothing to see."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=64, help="of a square, px")
    parser.add_argument("--most", type=int, default=600, help="squares of one photograph")
    given = parser.parse_args()
    paths = sorted(given.photographs.rglob("*.jpg"))
    if not paths:
        raise SystemExit(f"{given.photographs}: no .jpg files")
    if given.out.exists():
        raise SystemExit(f"{given.out} is there already")
    for path in paths:
        with Image.open(path) as photograph:
            pixels = np.asarray(photograph.convert("RGB"))
        folder = given.out / path.stem
        folder.mkdir(parents=True)
        for number, patch in enumerate(patches(pixels, given.side, given.most)):
            Image.fromarray(patch).save(folder / f"{number:04}.png", compress_level=1)


def patches(pixels: np.ndarray, side: int, most: int) -> list[np.ndarray]:
    """Squares of a photograph, at most so many, in the order of their places.

    Args:
        pixels: uint8 (H, W, 3).

    Returns:
        uint8 (side, side, 3) each.
    """
    rows, columns = (length // side for length in pixels.shape[:2])
    cut = pixels[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
    squares = cut.swapaxes(1, 2).reshape(-1, side, side, 3)
    seen = squares[squares.mean(axis=3).std(axis=(1, 2)) >= _LEAST_SPREAD]
    return list(seen[np.linspace(0, len(seen) - 1, min(most, len(seen))).astype(int)])


if __name__ == "__main__":
    main()
