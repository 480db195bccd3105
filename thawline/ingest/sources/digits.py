"""Read scikit-learn's 1,797 scanned handwritten digits, 8 x 8 px, without a network.

Source: the optical recognition of handwritten digits set of the UCI repository
(E. Alpaydin and C. Kaynak, 1998), as scikit-learn ships it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from sklearn.datasets import load_digits

from thawline.ingest.items import Item, Source


def read(
    path: Path,  # noqa: ARG001 - every source takes one
    *,
    imbalance_ratio: Annotated[float, Field(ge=1, le=100)] = 20.0,
) -> Source:
    """Read the digits as a long-tailed set; `imbalance_ratio: 1` leaves them balanced.

    Only training rows are thinned out (by ingest, after the split), so that validation and test
    measure every class alike.
    """
    digits = load_digits()
    # 17 grey levels, 0..16, to the full range of uint8.
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return Source(
        classes=tuple(str(name) for name in digits.target_names),
        items=_items(images, digits.target),
        num_items=len(images),
        imbalance_ratio=imbalance_ratio if imbalance_ratio > 1 else None,
    )


def _items(images: np.ndarray, labels: np.ndarray) -> Iterator[Item]:
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        yield Item(name=f"digits/{index:04d}", label=int(label), payload=image)
