#!/usr/bin/env bash
# Pillow reads three kinds of compressed big-endian TIFF with swapped bytes, without an error.
#
# Versions: Python 3.11, pillow 13.0.0, numpy 2.4.6; the files are written and read back with
# tifffile 2026.3.3 and imagecodecs 2026.3.6.
#
# Behaviour: one grey channel, big-endian, compressed with zlib ("Adobe deflate"). Values that are
# floats of 32 bits, or whole numbers with a sign of 16 or 32 bits, come out with their bytes in the
# wrong order. Unsigned values of 16 bits are right, and so is each file without compression.
# It looks as if libtiff hands decompressed values out in the machine's own order and Pillow then
# swaps them again. So it shows on little-endian machines only.
#
# Why it hurts: microscopes, scanners and GIS tools write such files. Floats turn into values next
# to zero, which look like an almost black picture and not like a broken one.
#
# Seen:
#   float32 plain      [0.0, 0.25, 1.0]       right
#   float32 compressed [0.0, 4.600462858378374e-41, 4.600602988224807e-41] WRONG
#   int16   plain      [-2, 1, 300]           right
#   int16   compressed [-257, 256, 11265]     WRONG
#   int32   plain      [-2, 1, 70000]         right
#   int32   compressed [-16777217, 16777216, 1880162560] WRONG
#   uint16  plain      [0, 1, 300]            right
#   uint16  compressed [0, 1, 300]            right
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
ROWS = {
    "float32": [0.0, 0.25, 1.0], "int16": [-2, 1, 300], "int32": [-2, 1, 70000],
    "uint16": [0, 1, 300],
}
SWAPPED = {"float32", "int16", "int32"}

as_described = True
for name, row in ROWS.items():
    values = np.tile(np.array(row, name), (4, 1))
    for packing in (None, "zlib"):
        tifffile.imwrite(
            FILE, values, byteorder=">", photometric="minisblack", compression=packing
        )
        assert np.array_equal(tifffile.imread(FILE), values), "tifffile reads it wrongly"
        with Image.open(FILE) as image:
            found = np.asarray(image)
        right = np.array_equal(found, values)
        label = f"{name:7} {'compressed' if packing else 'plain':10}"
        print(f"{label} {str(found[0].tolist()):22} {'right' if right else 'WRONG'}")
        if packing and name in SWAPPED:
            as_described &= np.array_equal(found.astype(name), values.byteswap())
        else:
            as_described &= right
sys.exit(0 if as_described else "The behaviour is not as described.")
PYTHON
