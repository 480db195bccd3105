"""Describe a trial in a form that another process understands."""

from collections.abc import Mapping
from dataclasses import dataclass

from thawline.flows.snapshot import Snapshot
from thawline.runtime import execution, workspace
from thawline.studies.plan import Trial


@dataclass(frozen=True, kw_only=True)
class TrialRequest:
    """A trial with what it takes to run it elsewhere; all of it can be pickled.

    Attributes:
        base: snapshot of the project that the trial starts from.
        until: the last stage that runs.
        code: hash of all that a result depends on but the overrides; a part of the trial's key.
        env: variables added to the environment of its processes.
        keep: True keeps a copy of the network, to be timed.
        again: True repeats a trial that failed.
    """

    trial: Trial
    base: Snapshot
    until: str
    code: str
    env: Mapping[str, str]
    keep: bool
    again: bool

    @property
    def key(self) -> str:
        return self.trial.key(self.code)

    @property
    def name(self) -> str:
        """Name of the DVC experiment and the MLflow run."""
        return f"{self.trial.study}-{self.key}"

    @property
    def environment(self) -> dict[str, str]:
        return {**self.env, workspace.VARIABLE: str(workspace.root()), execution.TRIAL: self.key}
