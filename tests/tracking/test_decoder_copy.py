"""The decoder that goes with a served model stands alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from thawline.ingest.decoding.decode import picture
from thawline.registry.ships_with import copy_decoder

_SCRIPT = """
import sys
from thawline_decode import fit, picture
data = open(sys.argv[1], "rb").read()
found = picture(data, 8, "letterbox", (0, 0, 0), 12)
print(fit(found.image, 8, "letterbox").tolist())
assert not [name for name in sys.modules if name.partition(".")[0] == "thawline"]
"""


def test_the_copy_needs_nothing_of_the_project(tmp_path: Path) -> None:
    copy_decoder(tmp_path / "thawline_decode")
    values = np.linspace(0, 4095, 64).reshape(8, 8).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, "a.png"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = picture((tmp_path / "a.png").read_bytes(), 8, "letterbox", bit_depth=12).image
    assert done.stdout.strip() == str(np.asarray(expected).tolist())
