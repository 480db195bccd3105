"""Predict with another model on rows of this data set, whatever its image size."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from thawline.cost import ort_session as onnx
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest.decided import Decided
from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.items import Item, Reject
from thawline.ingest.packing.packing import Packed, pack
from thawline.params import plugins
from thawline.params.schema.data import Ingest
from thawline.prediction.model import Predictor
from thawline.prediction.predict import check
from thawline.runtime.escape import storable

UNKNOWN = -1
_BATCH = 64
Batch = tuple[np.ndarray, np.ndarray]
"""Positions among the rows, int64 (B,), and their images, uint8 (B, S, S, 3)."""


def predicted(
    model: Predictor,
    manifest: Manifest,
    rows: np.ndarray,
    *,
    images: Path,
    ingest: Ingest,
    threads: int,
) -> np.ndarray:
    """Predict classes as ids of the manifest, int64 (N,); UNKNOWN where an image is missing.

    Where the model needs images of another size or shape than the packed ones, they are decoded
    from the source again.

    Args:
        model: the model.
        manifest: the data set.
        rows: rows of the manifest, int64 (N,).
        images: folder of the packed images.
        ingest: parameters that they were packed with.
        threads: threads of the network.

    Raises:
        UserError: the source cannot be read, or the model has a class that the manifest lacks.
    """
    column = class_ids(model, manifest)
    network = onnx.session(model.network, threads)
    check(network, model)
    found = np.full(len(rows), UNKNOWN, dtype=np.int64)
    decided = Decided.read(images)
    packed = Geometry(
        image_size_px=decided.image_size_px,
        fit=decided.fit,
        background=decided.background,
        bit_depth=decided.bit_depth,
    )
    if model.geometry == packed:
        batches = _stored(ImageStore(images), rows)
    else:
        batches = _decoded(manifest, rows, ingest, model.geometry)
    for positions, pixels in batches:
        found[positions] = column[onnx.predict(network, pixels).argmax(axis=1)]
    return found


def class_ids(model: Predictor, manifest: Manifest) -> np.ndarray:
    """Map each of the model's classes to its id in the manifest, int64 (K,).

    Raises:
        UserError: the two have different classes; their order may differ.
    """
    if sorted(model.classes) != sorted(manifest.classes):
        raise UserError(f"{model.network}: has other classes than the data set")
    return np.array([manifest.classes.index(name) for name in model.classes], dtype=np.int64)


def _stored(store: ImageStore, rows: np.ndarray) -> Iterator[Batch]:
    for start in range(0, len(rows), _BATCH):
        positions = np.arange(start, min(start + _BATCH, len(rows)))
        yield positions, store.take(rows[positions])


def _decoded(
    manifest: Manifest, rows: np.ndarray, ingest: Ingest, geometry: Geometry
) -> Iterator[Batch]:
    position = {manifest.names[row]: at for at, row in enumerate(rows)}
    source = plugins.load(plugins.SOURCE, ingest.source).read(Path(ingest.path), **ingest.options)
    wanted = (
        item for item in source.items if isinstance(item, Item) and storable(item.name) in position
    )
    batch: list[tuple[int, np.ndarray]] = []
    for image in _usable(pack(wanted, replace(geometry, encoding="raw"), len(rows))):
        at = position[storable(image.item_name)]
        if image.sha256 != manifest.sha256[rows[at]]:
            continue  # another picture under that name by now
        batch.append((at, image.pixels))
        if len(batch) == _BATCH:
            yield _stacked(batch)
            batch = []
    if batch:
        yield _stacked(batch)


def _usable(results: Iterable[Packed | Reject]) -> Iterator[Packed]:
    return (result for result in results if isinstance(result, Packed))


def _stacked(batch: list[tuple[int, np.ndarray]]) -> Batch:
    return np.array([at for at, _ in batch]), np.stack([pixels for _, pixels in batch])
