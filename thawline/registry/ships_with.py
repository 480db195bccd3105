"""Collect what is stored with a published model: code that serves it, files for a restore."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thawline.dataset.manifest import Manifest
from thawline.ingest import decoding
from thawline.ingest.decoding.decode import DECODER
from thawline.registry import description, flavors, restore
from thawline.registry.training_fingerprint import FILE as SEEN
from thawline.registry.training_fingerprint import TESTED, TrainingFingerprint
from thawline.runtime.output_paths import INGEST

_HERE = Path(__file__).parent
_DECODER = "thawline_decode"
"""Name under which the served model imports its copy of the decoder, a package."""
_SHIPPED = {
    "thawline_images": _HERE / "served_images.py",
    "thawline_answers": _HERE / "served_answers.py",
}
"""Name under which the served model imports its copy of a module -> the module."""


@contextmanager
def ships_with(model: Path) -> Iterator[tuple[list[str], dict[str, Path]]]:
    """Write the files that go with a model: code independent of the project, and further files.

    The code is importable under its shipped names meanwhile, since MLflow runs the model's file
    when it logs it.
    """
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        recorded = scratch / restore.FOLDER
        seen, tested = scratch / SEEN, scratch / TESTED
        copies = [shutil.copyfile(path, scratch / f"{name}.py") for name, path in _SHIPPED.items()]
        copies.append(copy_decoder(scratch / _DECODER))
        manifest = Manifest.read(INGEST)
        TrainingFingerprint.from_manifest(manifest).write(seen)
        TrainingFingerprint.from_manifest(manifest, ("test",)).write(tested)
        recorded.mkdir()
        restore.record(recorded)
        files = {flavors.NETWORK: model / "model.onnx", "card": model / "model.json"}
        if description.CARD.is_file():
            files["model_card"] = description.CARD
        sys.path.insert(0, temporary)
        try:
            yield (
                [str(copy) for copy in copies],
                files | {"seen": seen, "tested": tested, "restore": recorded},
            )
        finally:
            sys.path.remove(temporary)
            for name in [n for n in sys.modules if n.partition(".")[0] in (_DECODER, *_SHIPPED)]:
                del sys.modules[name]


def copy_decoder(folder: Path) -> Path:
    """Write the decoder as a package of the folder's name, independent of the project."""
    folder.mkdir()
    for module in DECODER:
        file = "__init__" if module == "decode" else module
        code = (Path(decoding.__path__[0]) / f"{module}.py").read_text(encoding="utf-8")
        code = code.replace(decoding.__name__, folder.name)
        (folder / f"{file}.py").write_text(code, encoding="utf-8")
    return folder
