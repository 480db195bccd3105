"""Find the columns of a table by the names that a user gave."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from thawline.errors import UserError
from thawline.runtime.escape import escape

_WAYS = defaultdict(str) | {
    "label": "; of tables of which some have no labels, give the one that has as ingest.path"
}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns; split and group may be missing under their usual names."""

    image: str
    label: str
    split: str
    group: str

    def match(self, header: Sequence[str], where: str) -> "Columns":
        """Find the columns in a table: exactly, else the one that differs by case or blanks.

        Returns:
            Names as the table has them; an optional one that it lacks stays as it is.

        Raises:
            UserError: a column is missing, or there twice.
        """
        wanted = asdict(self)
        found = {}
        for field in fields(self):
            name = wanted[field.name]
            fitting = _fitting(name, header, set(wanted.values()))
            optional = field.name in ("split", "group") and name == field.name
            if len(fitting) > 1 or not (fitting or optional):
                listed = ", ".join(repr(escape(column, 40)) for column in header[:20])
                problem = "is there twice" if fitting else "is missing"
                raise UserError(
                    f"ingest.options.{field.name}: column {escape(name, 60)!r} {problem} in "
                    f"{where} row 1; its columns: {listed}{'' if fitting else _WAYS[field.name]}"
                )
            found[field.name] = fitting[0] if fitting else name
        return Columns(**found)

    def fit(self, header: Sequence[str]) -> bool:
        """Return True where the required columns can be found in a header."""
        taken = set(asdict(self).values())
        return all(_fitting(name, header, taken) for name in (self.image, self.label))

    def renamed(self, found: "Columns") -> list[str]:
        """Describe columns that were found under another spelling."""
        pairs = zip(asdict(self).items(), asdict(found).values(), strict=True)
        return [
            f"column {escape(there, 60)!r} is taken for {name!r} (ingest.options.{option})"
            for (option, name), there in pairs
            if there != name
        ]


def _fitting(name: str, header: Sequence[str], wanted: set[str]) -> list[str]:
    exact = [column for column in header if column == name]
    folded = _folded(name)
    return exact or [
        column for column in header if _folded(column) == folded and column not in wanted
    ]


def _folded(name: str) -> str:
    return name.strip().casefold()
