"""A model scored on rows of a data set that was packed for another one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import colours
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest.decoding.preprocess import Geometry, content
from thawline.params import params_file
from thawline.params.schema.data import Ingest
from thawline.prediction.model import Predictor
from thawline.registry.rescoring import UNKNOWN, predicted

GEOMETRY = Geometry(image_size_px=16, fit="stretch", background=(0, 0, 0))


@pytest.fixture
def packed(tmp_path: Path) -> Manifest:
    """Packed images at 16 px, and the folder of PNGs that they came from."""
    manifest = colours.write_images(tmp_path / "packed", ["test"] * 90)
    pixels = np.load(tmp_path / "packed" / "images-00000.npy")
    names, hashes = [], []
    for row, image in enumerate(pixels):
        name = f"{colours.CLASSES[manifest.labels[row]]}/{row}.png"
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "raw" / name)
        hashes.append(content(name, (tmp_path / "raw" / name).read_bytes(), GEOMETRY).sha256)
        names.append(name)
    return replace(manifest, names=tuple(names), sha256=tuple(hashes))


@pytest.fixture
def ingest(tmp_path: Path, repository: Path) -> Ingest:
    real = params_file.load(repository / "params.yaml").ingest
    changes = {"source": "folder", "path": str(tmp_path / "raw"), "options": {}}
    return real.model_copy(update=changes | {"image_size_px": 16, "fit": "stretch"})


def test_the_source_gives_what_the_packed_images_give(
    tmp_path: Path, packed: Manifest, ingest: Ingest
) -> None:
    rows = np.arange(90)[::-2]
    how = {"images": tmp_path / "packed", "ingest": ingest, "threads": 1}
    same = Predictor(colours.write(tmp_path / "same", size_px=16))
    larger = Predictor(colours.write(tmp_path / "larger", size_px=64))
    expected = packed.labels[rows]
    assert predicted(same, packed, rows, **how).tolist() == expected.tolist()
    assert predicted(larger, packed, rows, **how).tolist() == expected.tolist()


def test_pictures_that_are_gone_or_others_by_now_are_unknown(
    tmp_path: Path, packed: Manifest, ingest: Ingest
) -> None:
    (tmp_path / "raw" / packed.names[3]).unlink()
    Image.new("RGB", (16, 16), (1, 2, 3)).save(tmp_path / "raw" / packed.names[5])
    larger = Predictor(colours.write(tmp_path / "larger", size_px=64))
    found = predicted(
        larger, packed, np.arange(10), images=tmp_path / "packed", ingest=ingest, threads=1
    )
    assert np.flatnonzero(found == UNKNOWN).tolist() == [3, 5]


def test_classes_in_another_order_are_matched_by_name(
    tmp_path: Path, packed: Manifest, ingest: Ingest
) -> None:
    turned = replace(packed, classes=("blue", "red", "green"))
    how = {"images": tmp_path / "packed", "ingest": ingest, "threads": 1}
    model = Predictor(colours.write(tmp_path / "model", size_px=16))
    found = predicted(model, turned, np.arange(90), **how)
    assert [turned.classes[k] for k in found] == [packed.classes[k] for k in packed.labels]
    with pytest.raises(UserError, match="other classes"):
        predicted(model, replace(packed, classes=("red", "green", "violet")), np.arange(2), **how)
