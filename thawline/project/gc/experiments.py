"""List DVC's experiments, as git keeps them: `refs/exps/<baseline, in two parts>/<name>`."""

from collections.abc import Set
from dataclasses import dataclass

from thawline.dvc.commands import dvc, git

_PARTS = 5
_FORMAT = "--format=%(objectname) %(committerdate:unix) %(refname)"


@dataclass(frozen=True)
class Experiment:
    """One experiment that was finished and saved."""

    ref: str
    commit: str
    time_s: float

    @property
    def name(self) -> str:
        return self.ref.rsplit("/", 1)[-1]


def listed() -> list[Experiment]:
    """List all experiments; those that DVC queues or runs have other names."""
    lines = git("for-each-ref", _FORMAT, "refs/exps").splitlines()
    fields = [line.split(" ", 2) for line in lines]
    return [
        Experiment(ref, commit, float(time))
        for commit, time, ref in fields
        if ref.count("/") == _PARTS - 1
    ]


def tagged_commits() -> set[str]:
    """List the commits that a git tag stands for."""
    form = "--format=%(objectname) %(*objectname)"
    return set(git("for-each-ref", form, "refs/tags").split())


def old(before_s: float, *, names: Set[str]) -> list[Experiment]:
    """List the experiments from before a time that no tag protects.

    Args:
        before_s: seconds since the epoch.
        names: names of experiments that registered versions come from.
    """
    tagged = tagged_commits()
    return [
        found
        for found in listed()
        if found.time_s < before_s and found.commit not in tagged and found.name not in names
    ]


def remove(found: list[Experiment]) -> None:
    if found:
        dvc("exp", "remove", *(experiment.ref for experiment in found))
