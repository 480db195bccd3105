"""Tables of images, and those that a person keeps beside them."""

import importlib.util
import io
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.faults.fuzz.damage import Kind, refusable

_ROWS = [("img/0.png", "ant", "train", "g"), ("img/1.png", "bee", "val", ""), ("2", "ant", "", "h")]
_CSV = "image,label,split,group\n" + "".join(",".join(row) + "\n" for row in _ROWS)


def csv() -> Kind:
    """Read CSV files: delimiters, encodings, columns of splits, names of splits, class names."""
    from thawline.ingest.sources import csv as source

    def read(data: bytes, folder: Path) -> None:
        _filled(folder)
        (folder / "table" / "t.csv").write_bytes(data)
        _each(source.read, folder / "table", "t.csv")

    plain = _CSV.replace(",split", ",Split").replace("ant", "1").replace("bee", "02")
    files = [
        _CSV.encode(),
        _CSV.encode("utf-16"),
        b"\xef\xbb\xbf" + _CSV.replace(",", ";").encode(),
        plain.encode(),
        _CSV.replace("img/", "img\\").replace("ant", '"a,\nb"').encode(),
    ]
    return Kind(files=files, read=read, text=True)


def parquet() -> Kind:
    """Read Parquet files: paths, bytes, the struct of `datasets`, dictionaries, numbers."""
    from thawline.ingest.sources import parquet as source

    def read(data: bytes, folder: Path) -> None:
        _filled(folder)
        (folder / "table" / "t.parquet").write_bytes(data)
        _each(source.read, folder / "table", "t.parquet")

    names = ("image", "label", "split", "group")
    texts = {
        name: list(column) for name, column in zip(names, zip(*_ROWS, strict=True), strict=True)
    }
    images = [_png(), _png(), None]
    tables = [
        pa.table(texts),
        pa.table(texts | {"label": pa.array(texts["label"]).dictionary_encode()}),
        pa.table({"image": images, "label": [0, 1, 0], "subset": ["train", "train", "test"]}),
        pa.table({"image": [{"bytes": b, "path": "x"} for b in images], "label": ["0", "1", "1"]}),
    ]
    files = []
    for table in tables:
        for options in (
            {"compression": "snappy"},
            {"compression": "none", "use_dictionary": False},
        ):
            buffer = io.BytesIO()
            pq.write_table(table, buffer, **options)
            files.append(buffer.getvalue())
    return Kind(files=files, read=read)


def datasets() -> Kind:
    """Read a set that the library `datasets` saved, damaged in any of its files."""
    from thawline.ingest.sources import huggingface as source

    if importlib.util.find_spec("datasets") is None:
        raise SystemExit("the extra huggingface is not installed")
    library: Any = importlib.import_module("datasets")
    library.disable_progress_bars()
    features = library.Features(
        image=library.Image(), label=library.ClassLabel(names=["ant", "bee", "cat"])
    )
    rows = {"image": [{"bytes": _png(), "path": None}] * 4, "label": [0, 1, 1, -1]}
    whole = Path("whole")
    library.Dataset.from_dict(rows, features=features).save_to_disk(str(whole))
    kept = {path.name: path.read_bytes() for path in sorted(whole.iterdir())}

    def read(data: bytes, folder: Path) -> None:
        name = _likeliest(data, kept)
        place = folder / "set"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole, place)
        (place / name).write_bytes(data)
        refusable(lambda: _walk(source.read(place)))

    return Kind(files=list(kept.values()), read=read, text=True)


def fixes() -> Kind:
    """Read corrections of labels."""
    from thawline.ingest.labels import label_fixes

    def read(data: bytes, folder: Path) -> None:
        (folder / "fixes.csv").write_bytes(data)

        def use() -> None:
            found = label_fixes.read(folder / "fixes.csv", ("ant", "bee", "caf\u00e9"))
            found.label("a/0.png", 0)
            found.check_all_met()

        refusable(use)

    text = "image,label,was\na/0.png,bee,ant\n'=x,caf\u00e9,\n"
    return Kind(
        files=[text.encode(), text.replace(",", ";").encode("utf-8-sig")], read=read, text=True
    )


def holdouts() -> Kind:
    """Read the list of a test set that was drawn anew."""
    from thawline.ingest.splits import holdout

    def read(data: bytes, folder: Path) -> None:
        (folder / "holdout.csv").write_bytes(data)
        refusable(lambda: holdout.read(folder / "holdout.csv"))

    rows = [("image", "sha256"), ("a/0.png", "0" * 64), ("b, c", "f" * 64)]
    text = "".join(f'"{name}",{digest}\n' for name, digest in rows)
    return Kind(files=[text.encode()], read=read, text=True)


def _each(read: Any, folder: Path, name: str) -> None:
    """By the file, by the folder, with names of classes, with another column of splits."""
    refusable(lambda: _walk(read(folder / name)))
    refusable(lambda: _walk(read(folder, classes=["ant", "bee"])))
    refusable(lambda: _walk(read(folder, split="subset")))


def _walk(source: Any) -> None:
    for item in source.items:
        assert ".." not in str(item.name).split("/") or not hasattr(item, "payload"), item.name
    source.check_unchanged()
    assert all(line.isprintable() for line in source.remarks), source.remarks


def _filled(folder: Path) -> None:
    images = folder / "table" / "img"
    if not images.is_dir():
        images.mkdir(parents=True)
        for number in range(2):
            (images / f"{number}.png").write_bytes(_png())


def _likeliest(data: bytes, files: dict[str, bytes]) -> str:
    """Which of the files the data were, by the beginnings that they share."""

    def shared(name: str) -> int:
        pairs = zip(data[:4000], files[name][:4000], strict=False)
        return sum(one == other for one, other in pairs)

    return max(files, key=shared)


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (3, 3), 5).save(buffer, "PNG")
    return buffer.getvalue()
