"""Apply changes from the command line to studies: values of all trials, fewer seeds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thawline.errors import UserError
from thawline.params.schema.whole import Params
from thawline.runtime import safe_yaml
from thawline.studies import definition, plan
from thawline.studies.definition import Definition


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Changes to a definition after it is read; what its axes vary stays theirs.

    Attributes:
        values: values of params.yaml by their dotted keys, in place of those of `base`.
        seeds: number of the definition's seeds to run, the first ones; None for all.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None

    @classmethod
    def parse(cls, words: Sequence[str], seeds: int | None, project: Params) -> "Changes":
        """Parse `--set KEY=VALUE` words and `--seeds`; a value is read as in params.yaml.

        Raises:
            UserError: a word of another form, a key that params.yaml does not have, no seed left.
        """
        if seeds is not None and seeds < 1:
            raise UserError(f"--seeds: {seeds} is not allowed; 1 or more are")
        values: dict[str, Any] = {}
        allowed = plan.keys(project)
        for word in words:
            key, equals, text = word.partition("=")
            if not equals:
                raise UserError(
                    f"--set: {safe_yaml.format_value(word)} is not allowed; KEY=VALUE is"
                )
            if key == plan.SEED:
                raise UserError(f"--set: {key}: a study's file lists its seeds; see --seeds")
            if key not in allowed:
                raise plan.unknown("--set", key, project)
            values[key] = safe_yaml.parse(text, f"--set {key}")
        return cls(values=values, seeds=seeds)

    def planned(self, path: Path, project: Params) -> plan.Study:
        """Read the study of a file and apply the changes.

        Raises:
            UserError: see `definition.load` and `plan.study`.
        """
        return plan.study(path, self.applied(definition.load(path)), project, str(self))

    def applied(self, given: Definition) -> Definition:
        """Return a definition with these values and the first of its seeds."""
        base = {**given.base, **self.values}
        return given.model_copy(update={"base": base, "seeds": given.seeds[: self.seeds]})

    def __str__(self) -> str:
        """Format the changes as on the command line; empty if there are none."""
        words = [f"--set {key}={json.dumps(value)}" for key, value in sorted(self.values.items())]
        words += [f"--seeds {self.seeds}"] * (self.seeds is not None)
        return " ".join(words)


NOTHING = Changes()
