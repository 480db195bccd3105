"""Keep what ingest found out about a set, for the report that is drawn later."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thawline.dataset.manifest import Manifest
from thawline.ingest.accounting import Account
from thawline.ingest.decoding.blanks import Blanks
from thawline.ingest.decoding.image_stats import Looks
from thawline.ingest.dedup import label_conflicts as conflicts
from thawline.ingest.dedup.label_conflicts import Conflict
from thawline.ingest.dedup.linking import NearCopy
from thawline.runtime import safe_json
from thawline.runtime.escape import escape
from thawline.runtime.output_paths import intact, write_csv

FOLDER = "findings"
_FILE, _LOOKS = "findings.json", "looks.parquet"
_MEASURES = ("brightness", "contrast", "sharpness")


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Oddities of a set, and what became of its files.

    Attributes:
        looks: per row; asked for several times, so no generator.
        links: near copies; None where none were looked for.
        conflicts: with what became of each row in `left_out`.
        quarantine: names and reasons, printable.
        notes: per row, what is odd about its file.
        blanks: rows on which nothing is to be seen.
        num_transparent: images of which not every pixel is opaque.
        depth: that images of 16 bits use few of them, or None.
        account: what became of every file.
        remarks: how the source was understood, where that is worth a word.
    """

    looks: Iterable[Looks]
    links: Sequence[NearCopy] | None
    conflicts: Sequence[Conflict]
    left_out: frozenset[int]
    quarantine: Sequence[tuple[str, str]]
    notes: Sequence[str | None]
    blanks: Blanks
    num_transparent: int
    account: Account
    depth: str | None = None
    remarks: Sequence[str] = ()

    def write(self, folder: Path) -> None:
        """Write all of it; of the looks, brightness, contrast and sharpness."""
        folder.mkdir(parents=True, exist_ok=True)
        links = self.links
        content = {
            "links": None if links is None else [[k.row, k.twin, k.bits] for k in links],
            "conflicts": [asdict(one) for one in self.conflicts],
            "left_out": sorted(self.left_out),
            "quarantine": list(self.quarantine),
            "notes": {row: note for row, note in enumerate(self.notes) if note is not None},
            "blanks": {kind: list(rows) for kind, rows in self.blanks.items()},
            "num_transparent": self.num_transparent,
            # Not asdict: it makes a Counter of the pairs of a Counter.
            "account": {
                **vars(self.account),
                "set_aside": dict(self.account.set_aside),
                "passed_over": dict(self.account.passed_over),
            },
            "depth": self.depth,
            "remarks": list(self.remarks),
        }
        (folder / _FILE).write_text(json.dumps(content) + "\n", encoding="utf-8")
        columns = {name: [getattr(k, name) for k in self.looks] for name in _MEASURES}
        table = {name: pa.array(values, pa.float64()) for name, values in columns.items()}
        pq.write_table(pa.table(table), folder / _LOOKS)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` has written.

        Raises:
            UserError: a file is missing or damaged.
        """
        with intact(folder / _LOOKS):
            table = pq.read_table(folder / _LOOKS)
            columns = [table[name].to_numpy().astype(np.float64).tolist() for name in _MEASURES]
            looks = [Looks(None, *values) for values in zip(*columns, strict=True)]
        with intact(folder / _FILE):
            raw: dict[str, Any] = safe_json.loads((folder / _FILE).read_bytes())
            links, notes = raw.pop("links"), raw.pop("notes")
            return cls(
                looks=looks,
                links=None if links is None else [NearCopy(*map(int, link)) for link in links],
                conflicts=[Conflict(**one) for one in raw.pop("conflicts")],
                left_out=frozenset(raw.pop("left_out")),
                quarantine=[(str(name), str(why)) for name, why in raw.pop("quarantine")],
                notes=[notes.get(str(row)) for row in range(len(looks))],
                account=Account(**raw.pop("account")),
                **raw,
            )

    def write_tables(self, folder: Path, manifest: Manifest) -> None:
        """Write conflicts.csv and near_duplicates.csv, for a person to read and to correct."""
        names, splits = manifest.names, manifest.splits.tolist()
        write_csv(
            folder / "conflicts.csv",
            conflicts.HEADER,
            conflicts.table(self.conflicts, manifest.classes, self.left_out),
        )
        write_csv(
            folder / "near_duplicates.csv",
            ("image", "copy", "bits", "split"),
            (
                (escape(names[k.row], 400), escape(names[k.twin], 400), k.bits, splits[k.row])
                for k in self.links or ()
            ),
        )
