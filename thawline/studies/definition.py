"""Read a study's file: its claims, axes and deciding measure, written before any trial."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from thawline.errors import UserError
from thawline.params.schema.base import Section
from thawline.runtime import safe_yaml
from thawline.studies import mistakes
from thawline.studies.scores import SCORES

FOLDER = Path("studies")
STAGES = ("transfer_learn", "fine_tune", "compress")
"""Stages where a trial may end: those that make a network."""
MEASURES = tuple(f"{stage}.val_{score}" for stage in STAGES for score in SCORES)
"""Measures on validation rows: test rows are for the final report alone."""
LABEL = "label"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Allowed names: they become names of folders, of git references, and in DVC and MLflow."""
_Text = Annotated[str, Field(min_length=1, max_length=2000)]
_Key = Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+)*$")]
Axis = dict[_Key, Annotated[list[Any], Field(min_length=1, max_length=100)]]
"""Dotted keys of params.yaml to their values, which change together; `label` names the steps."""

MOST_TRIALS = 10_000
"""Largest number of trials of a study."""
Choices = Annotated[list[Any], Field(min_length=2)]


class Comparison(Section):
    """One claim: some contenders against a baseline, each named by its label."""

    says: _Text
    baseline: Any
    contenders: Annotated[list[Any], Field(min_length=1)]
    expect: Literal["better", "not_worse"]
    """better: by something that matters; not_worse: by nothing that matters."""


class Interval(Section):
    """A range of numbers to search; whole numbers if both ends are."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 for a logarithmic range")
        return self


class Search(Section):
    """Values proposed one after another, for high accuracy, low latency and small size."""

    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)]
    space: Annotated[dict[_Key, Interval | Choices], Field(min_length=1)]


class Definition(Section):
    """The content of one file; either `axes` with `comparisons`, or `search`."""

    claim: _Text
    """Claim of the guide."""
    question: _Text
    """Question that the study answers."""
    base: dict[_Key, Any]
    """Values of params.yaml in all trials."""
    axes: Annotated[list[Axis], Field(min_length=1)] | None = None
    search: Search | None = None
    seeds: Annotated[
        list[Annotated[int, Field(ge=0, le=2**32 - 1)]],
        Field(min_length=1, max_length=MOST_TRIALS),
    ]
    measure: str
    """One of MEASURES; its stage is where a trial ends."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)]
    """Smallest effect of the measure, stated beforehand: a smaller difference is of no interest."""
    comparisons: tuple[Comparison, ...] = Field(default=(), strict=False)

    @property
    def until(self) -> str:
        """Name of the stage that gives the measure."""
        return self.measure.partition(".")[0]

    @property
    def score(self) -> str:
        """Key of the measure in `scores.SCORES`."""
        return self.measure.partition(".val_")[2]

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.axes is None) == (self.search is None):
            raise ValueError("needs either axes or search")
        if self.search is None and not self.comparisons:
            raise ValueError("axes need comparisons: which contender is claimed to beat what")
        if self.search is not None and self.comparisons:
            raise ValueError("a search compares nothing; comparisons belong to axes")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("two seeds are the same")
        return self


def load(path: Path) -> Definition:
    """Read and check a study's file.

    Raises:
        UserError: missing, not YAML, an unknown key or measure, or a name or value that is not
            allowed.
    """
    if not _NAME.fullmatch(path.stem):
        raise UserError(
            f"{safe_yaml.format_value(path.name)}: not allowed as the name of a study: at most "
            "64 letters of a to z, digits, - and _, the first one a letter or a digit"
        )
    raw = safe_yaml.load(path)
    if not isinstance(raw, dict):
        raise UserError(f"{path}: keys are expected: {', '.join(Definition.model_fields)}")
    _check_measure(path, raw.get("measure"))
    try:
        return Definition.model_validate(raw)
    except ValidationError as error:
        raise mistakes.describe(path, error, Definition) from None


def find(name: str) -> list[Path]:
    """Find the files that a name on the command line means.

    Args:
        name: name of a file in studies/, a path, or `all`.

    Raises:
        UserError: there is no such study.
    """
    known = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
    if name == "all":
        if not known:
            raise UserError(f"{FOLDER}: holds no study")
        return list(known.values())
    if name in known:
        return [known[name]]
    if name.endswith((".yaml", ".yml")):
        return [Path(name)]
    raise mistakes.unknown("study", name, [*known, "all"])


def _check_measure(path: Path, measure: object) -> None:
    if measure is None or measure in MEASURES:
        return
    if str(measure).startswith("evaluate."):
        raise UserError(
            f"{path}: measure: {measure!r} uses test rows, which must choose nothing; "
            f"allowed: {', '.join(MEASURES)}"
        )
    raise mistakes.unknown(f"{path}: measure", measure, MEASURES)
