"""What the command line changes of the studies it runs: values of all trials, and fewer seeds."""

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
    """Applied to a definition after it is read; what its axes vary stays theirs.

    Attributes:
        values: of params.yaml by their dotted keys, in place of those of `base`.
        seeds: how many of the definition's are run, the first ones; None for all.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None

    @classmethod
    def parse(cls, words: Sequence[str], seeds: int | None, project: Params) -> "Changes":
        """From `--set KEY=VALUE` words and `--seeds`; a value is read as in params.yaml.

        Raises:
            UserError: a word that is none, a key that params.yaml has not, no seed left.
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
        """The study of a file, changed so.

        Raises:
            UserError: see `definition.load` and `plan.study`.
        """
        return plan.study(path, self.applied(definition.load(path)), project, str(self))

    def applied(self, given: Definition) -> Definition:
        """The definition with these values and the first of its seeds."""
        base = {**given.base, **self.values}
        return given.model_copy(update={"base": base, "seeds": given.seeds[: self.seeds]})

    def __str__(self) -> str:
        """As on the command line; empty if nothing is changed."""
        words = [f"--set {key}={json.dumps(value)}" for key, value in sorted(self.values.items())]
        words += [f"--seeds {self.seeds}"] * (self.seeds is not None)
        return " ".join(words)


NOTHING = Changes()
