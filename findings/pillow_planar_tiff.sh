#!/usr/bin/env bash
# Pillow reads a 16-bit colour TIFF with its planes apart as if its bytes were pixels of 8 bits.
#
# Versions: Python 3.11, pillow 13.0.0, numpy 2.4.6; the files are written and read back with
# tifffile 2026.3.3 and imagecodecs 2026.3.6.
#
# Behaviour: unsigned RGB of 16 bits, not compressed, planes apart (PlanarConfiguration 2). Pillow
# opens it as RGB of 8 bits and takes each single byte for a pixel: the first row shows, one after the
# other, the low and high bytes of the left half of the stored first row. The size is right and there
# is no error. With the same planes compressed, or with the channels of a pixel side by side, it hands out
# the upper 8 bits of each value, as for other colour files of 16 bits.
#
# Why it hurts: this layout is what tools that think in bands write. The picture is
# stretched and full of noise, its lower half is lost, and training goes on with it.
#
# Seen (red, then green, then blue of the first row):
#   stored >> 8              [[0, 3, 78, 255], [0, 0, 0, 0], [1, 234, 0, 0]]
#   side by side, plain      [[0, 3, 78, 255], [0, 0, 0, 0], [1, 234, 0, 0]] right
#   side by side, compressed [[0, 3, 78, 255], [0, 0, 0, 0], [1, 234, 0, 0]] right
#   apart, plain             [[0, 0, 232, 3], [1, 0, 2, 0], [44, 1, 96, 234]] WRONG
#   apart, compressed        [[0, 3, 78, 255], [0, 0, 0, 0], [1, 234, 0, 0]] right
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    pillow==13.0.0 numpy==2.4.6 tifffile==2026.3.3 imagecodecs==2026.3.6

"$folder/venv/bin/python" - "$folder/image.tif" <<'PYTHON'
import sys

import numpy as np
import tifffile
from PIL import Image

FILE = sys.argv[1]
ROWS = [[0, 1000, 20000, 65535], [1, 2, 3, 4], [300, 60000, 5, 6]]

planes = np.repeat(np.array(ROWS, "<u2")[:, None], 4, axis=1)
upper = (planes >> 8).astype(np.uint8)
single = planes.view(np.uint8)[:, :2].reshape(3, 4, 4)  # the first half of the bytes of each plane
print(f"{'stored >> 8':24} {upper[:, 0].tolist()}")

as_described = True
for layout in ("side by side", "apart"):
    apart = layout == "apart"
    stored = planes if apart else np.moveaxis(planes, 0, -1)
    for packing in (None, "zlib"):
        tifffile.imwrite(
            FILE, stored, byteorder="<", photometric="rgb", compression=packing,
            planarconfig="separate" if apart else "contig",
        )
        assert np.array_equal(tifffile.imread(FILE), stored), "tifffile reads it wrongly"
        with Image.open(FILE) as image:
            found = np.moveaxis(np.asarray(image), -1, 0)
        right = np.array_equal(found, upper)
        label = f"{layout}, {'compressed' if packing else 'plain'}"
        print(f"{label:24} {found[:, 0].tolist()} {'right' if right else 'WRONG'}")
        as_described &= np.array_equal(found, single if apart and not packing else upper)
sys.exit(0 if as_described else "The behaviour is not as described.")
PYTHON
