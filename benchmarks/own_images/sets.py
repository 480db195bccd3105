"""Build image sets of different kinds from PyPI and Debian, as folders of train and test.

    python -m benchmarks.own_images.sets OUT [--only NAME ...] [--table]

OUT/NAME/{train,test}/CLASS/ holds the files, OUT/NAME.json where they come from. Debian packages
that are missing are named; `apt-get install` gets them. --table prints what OUT holds.
"""

import argparse
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.own_images import debian
from benchmarks.own_images.pictures import TEST_SHARE, Picture, divide, write

SEED = 0
_OPENCLIPART = Path("/usr/share/openclipart/png")
_ICONS = Path("/usr/share/icons/oxygen/base/48x48")
_STAMPS = Path("/usr/share/tuxpaint/stamps")


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Describe a set and where it comes from.

    Attributes:
        kind: what its images are, in a few words.
        read: yields its pictures.
        package: name on PyPI or in Debian; several with spaces between.
        most: pictures of a class at most.
    """

    kind: str
    read: Callable[[], Iterable[Picture]]
    package: str
    licence: str
    on_pypi: bool = False
    most: int | None = None


def _digits() -> Iterable[Picture]:
    from sklearn.datasets import load_digits

    found = load_digits()
    for pixels, label in zip(found.images, found.target, strict=True):
        grey = np.round(pixels * 255 / 16).astype(np.uint8)
        yield Picture(label=str(label), data=debian.png(grey), suffix=".png")


def _same(*names: str) -> dict[str, tuple[str, ...]]:
    """Call each class by the last part of its folder."""
    return {Path(name).name: (name,) for name in names}


_CLIPART = {
    **_same("animals/mammals", "animals/birds", "animals/bugs", "food/fruit", "food/desserts"),
    **_same("food/beverages", "people/clothing", "people/smilies", "recreation/sports"),
    **_same("recreation/music", "transportation/vehicles", "transportation/roadsigns"),
    "buildings": ("buildings/homes",),
    "plants": ("plants/flowers", "plants/trees"),
}
_STAMP_CLASSES = {
    "birds": ("animals/birds",),
    "mammals": ("animals/mammals", "animals/marsupials"),
    "small-animals": ("animals/insects", "animals/fish", "animals/shellfish"),
    "fruit": ("food/fruit",),
    "vegetables": ("food/vegetables",),
    "flowers-trees": ("plants",),
    "buildings": ("town/houses", "town/monuments", "town/cartoon"),
    "roadsigns": ("town/roadsigns",),
    "vehicles": ("vehicles", "military/vehicles"),
    "household": ("household",),
    "seasonal": ("seasonal",),
    "clothes": ("clothes",),
}
_TEXTURES = {
    "wall": ("base_wall",),
    "floor": ("base_floor", "gothic_floor"),
    "light": ("base_light", "gothic_light"),
    "trim": ("base_trim", "gothic_trim"),
    "block": ("gothic_block",),
    "liquid": ("liquids",),
    "sky": ("skies",),
    "effect": ("sfx",),
}
_PHOTOGRAPHS = {
    "animals": ("explore_world_animals/animals", "explore_farm_animals/animals"),
    "fishes": ("categorization/images/fishes",),
    "monuments": (
        "categorization/images/monuments",
        *(
            f"explore_monuments/{place}"
            for place in ("egypt", "france", "germany", "india", "usa", "wonders")
        ),
    ),
    "energy": ("categorization/images/renewable",),
    "tools": ("categorization/images/tools",),
}
_FASHION = ImageSet(
    kind="grey photographs of clothes, 28 px",
    read=partial(debian.fashion, None, None, SEED),
    package="dataset-fashion-mnist",
    licence="MIT",
)
SETS = {
    "digits": ImageSet(
        kind="grey handwriting, 8 px", read=_digits, package="scikit-learn", on_pypi=True,
        licence="BSD-3-Clause",
    ),
    "fashion-1000": ImageSet(
        **{**vars(_FASHION), "read": partial(debian.fashion, 1000, 2000, SEED)}
    ),
    "fashion-5000": ImageSet(
        **{**vars(_FASHION), "read": partial(debian.fashion, 5000, 2000, SEED)}
    ),
    "fashion-60000": _FASHION,
    "surfaces": ImageSet(
        kind="patches of landscape photographs, 96 px", package="mate-backgrounds",
        read=partial(debian.surfaces, 96, 200), licence="GPL-2+, CC-BY-SA-4.0",
    ),
    "clipart": ImageSet(
        kind="clip art, transparent, of many sizes", package="openclipart-png",
        read=partial(debian.folders, _OPENCLIPART, _CLIPART), licence="public domain", most=100,
    ),
    "cards": ImageSet(
        kind="playing cards in four styles, by rank", package="openclipart-png",
        read=debian.cards, licence="public domain",
    ),
    "stamps": ImageSet(
        kind="cut-out photographs and drawings, transparent", package="tuxpaint-stamps-default",
        read=partial(debian.folders, _STAMPS, _STAMP_CLASSES), licence="GPL-2",
    ),
    "icons": ImageSet(
        kind="desktop icons, transparent, 48 px", package="oxygen-icon-theme", licence="LGPL-3+",
        read=partial(
            debian.folders, _ICONS,
            _same("actions", "apps", "categories", "devices", "mimetypes", "places", "status"),
        ),
        most=150,
    ),
    "emoji": ImageSet(
        kind="emoji, transparent, 136 px", package="fonts-noto-color-emoji unicode-data",
        read=debian.emoji, licence="OFL-1.1", most=150,
    ),
    "textures": ImageSet(
        kind="textures of a game, of many sizes", package="openarena-081-textures",
        read=partial(debian.textures, _TEXTURES), licence="GPL-2+",
    ),
    "photographs": ImageSet(
        kind="photographs of a learning game", package="gcompris-qt-data",
        read=partial(debian.photographs, _PHOTOGRAPHS), licence="CC-BY-SA, public domain, GPL-3+",
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", choices=SETS, default=list(SETS), metavar="NAME")
    parser.add_argument("--table", action="store_true", help="print what is there, build nothing")
    given = parser.parse_args()
    for name in given.only:
        if not given.table and not note_of(given.out, name).exists():
            note = build(given.out, name)
            print(f"{name}: {note['train']} to train, {note['test']} to test", flush=True)
    if given.table:
        print(table(given.out))


def note_of(out: Path, name: str) -> Path:
    """Name the file that says where a set comes from; it is written last."""
    return out / f"{name}.json"


def build(out: Path, name: str) -> dict[str, object]:
    """Write one set and its note.

    Raises:
        SystemExit: a package is missing.
    """
    chosen = SETS[name]
    note = {"kind": chosen.kind, "package": _with_version(chosen), "licence": chosen.licence}
    shutil.rmtree(out / name, ignore_errors=True)  # of a build that was stopped
    divided = divide(chosen.read(), SEED, chosen.most, TEST_SHARE)
    counts = write(out / name, divided)
    found: dict[str, object] = {**note, "classes": len(divided["train"]), **counts}
    note_of(out, name).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def table(out: Path) -> str:
    """Print the sets of a folder as Markdown."""
    lines = [
        "| set | images | package | licence | classes | train | test |",
        "|---|---|---|---|---:|---:|---:|",
    ]
    for name in SETS:
        if note_of(out, name).exists():
            note = json.loads(note_of(out, name).read_text(encoding="utf-8"))
            keys = ("kind", "package", "licence", "classes", "train", "test")
            lines.append("| " + " | ".join([name, *(str(note[key]) for key in keys)]) + " |")
    return "\n".join(lines)


def _with_version(chosen: ImageSet) -> str:
    if chosen.on_pypi:
        return f"{chosen.package} {version(chosen.package)}"
    names = chosen.package.split()
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *names],
        capture_output=True, text=True,
    )  # fmt: skip
    if asked.returncode:
        raise SystemExit(f"missing: apt-get install {chosen.package}")
    return ", ".join(asked.stdout.split("\n")[:-1])


if __name__ == "__main__":
    main()
