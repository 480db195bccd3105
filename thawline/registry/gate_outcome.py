"""Report the gate's decision: in a copy of the report, in MLflow and in the terminal.

The stage's own report cannot have it: it is made before the registry is asked, and DVC has its
hash.
"""

import html
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from thawline.dvc import hashes
from thawline.evaluation import gate_line
from thawline.runtime import safe_json
from thawline.runtime.escape import markdown, visible
from thawline.runtime.output_paths import REPORTS, write_json

if TYPE_CHECKING:  # MLflow takes seconds to load, and `thawline table` needs none of it
    from mlflow.entities.model_registry import ModelVersion

    from thawline.registry.gate import GateVerdict
    from thawline.tracking.store import Store

FOLDER = Path(gate_line.FOLDER)
FILE = FOLDER / "gate.json"
_MODEL = Path("models/compress")
_REPORT = REPORTS / "evaluate"
_HEADLINES = {
    "champion": "Version {version} is the champion.",
    "passed": "Passed the gate: version {version} is the champion now.",
    "failed": "Failed the gate: version {version} does not replace the champion.",
    "undecided": "Undecided: version {version} does not replace the champion.",
    "refused": "Not comparable: version {version} does not replace the champion.",
    "set aside": "Set aside by hand: version {version} does not replace the champion.",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A verdict and the model that it is about.

    Attributes:
        model: hash of the folder, as DVC computes it.
        reasons: lines for the user.
        looks: number of models that the gate has scored on this test set.
    """

    model: str
    version: str
    outcome: str
    reasons: tuple[str, ...]
    looks: int

    @classmethod
    def from_verdict(cls, version: "ModelVersion", model: str, verdict: "GateVerdict") -> Self:
        return cls(
            model=model,
            version=str(version.version),
            outcome=verdict.outcome,
            reasons=verdict.reasons,
            looks=verdict.looks,
        )

    @classmethod
    def read(cls, path: Path = FILE) -> Self | None:
        """Read the last outcome, if it is about the model that is here now; else None."""
        try:
            raw = safe_json.loads(path.read_text(encoding="utf-8"))
            found = cls(**{**raw, "reasons": tuple(raw["reasons"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return found if _MODEL.is_dir() and found.model == hashes.md5(_MODEL) else None

    def with_reasons(self) -> Self:
        """Restore the reasons of a champion that passed the gate when first published."""
        earlier = type(self).read() if self.outcome == "champion" else None
        same = earlier is not None and earlier.version == self.version
        return earlier if earlier and same and earlier.outcome == "passed" else self

    def lines(self) -> list[str]:
        """Format the headline, the reasons, and how often the test set was used."""
        head = _HEADLINES[self.outcome].format(version=self.version)
        again = "" if self.looks == 1 else "s"
        worn = f"The gate has looked at this test set {self.looks:,} time{again}."
        reasons = () if self.outcome == "champion" else self.reasons
        return [head, *map(visible, reasons), *[worn] * bool(self.looks)]


def write(outcome: Outcome, store: "Store", parent: str | None) -> None:
    """Write gate.json and the report with the outcome; in the parent's run replace the report.

    Args:
        outcome: the outcome.
        store: the MLflow store.
        parent: the run that the model came from, where it is known.
    """
    write_json(FILE, asdict(outcome))
    for name, line in (("report.html", as_html(outcome)), ("report.md", as_markdown(outcome))):
        path = _REPORT / name
        if not path.is_file():
            continue
        text = gate_line.fill(path.read_text(encoding="utf-8"), line)
        if path.suffix == ".html":  # the other one has its pictures beside it
            (FOLDER / name).write_text(text, encoding="utf-8")
        if parent:
            store.client.log_text(parent, text, f"report/{name}")


def as_html(outcome: Outcome) -> str:
    head, *rest = (html.escape(line) for line in outcome.lines())
    good = outcome.outcome in ("champion", "passed")
    items = "".join(f"<li>{line}</li>" for line in rest)
    more = f'<ul class="soft">{items}</ul>' if items else ""
    return f'<p class="budget{"" if good else " over"}">{head}</p>{more}'


def as_markdown(outcome: Outcome) -> str:
    head, *rest = (markdown(line) for line in outcome.lines())
    return "\n".join([f"**{head}**", "", *(f"- {line}" for line in rest)])
