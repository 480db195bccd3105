"""Define the commands before a training: init, check, advise, find-lr."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from thawline.dvc import libraries
from thawline.errors import UserError
from thawline.params import params_file as parameters
from thawline.params import plugins
from thawline.runtime import dvc_view


def init(
    folder: Annotated[Path, typer.Argument(help="Empty, or not there yet.")] = Path(),
    source: Annotated[str | None, typer.Option(help="Source of the images, e.g. folder.")] = None,
    path: Annotated[Path | None, typer.Option(help="Where they are.")] = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Upgrade to the installed version of the package.")
    ] = False,
) -> None:
    """Begin a project of your own in a folder, or bring one up to the installed version."""
    from thawline.project import command

    if upgrade:
        command.upgrade(folder, source, path)
    else:
        command.create(folder, source, path)


def check() -> None:
    """Validate params.yaml, and the policy file where it names one."""
    from thawline.advice import time_budget

    checked = parameters.load()
    parameters.check_inputs(checked)
    time_budget.check(checked)
    policy, file = checked.augment.policy, Path(checked.augment.file)
    if "file" in plugins.input_names(plugins.POLICY, policy):
        _check_policy(checked.ingest.image_size_px, file)
    warnings = (*libraries.others(), libraries.old_python())
    for line in (*warnings, *dvc_view.unseen(Path(checked.ingest.path))):
        if line:
            print(f"warning: {line}", file=sys.stderr)
    print("params.yaml: fine")


def _check_policy(image_size_px: int | str, file: Path) -> None:
    """Refuse a policy file that is wrong at the images' size, or under `auto` at any."""
    from thawline.ingest.image_size import ALL_SIZES

    policy = plugins.load(plugins.POLICY, "file").policy
    sizes = ALL_SIZES if isinstance(image_size_px, str) else (image_size_px,)
    problems: list[UserError] = []
    for size in sizes:
        try:
            policy(size, file=file)
        except UserError as problem:
            problems.append(problem)
    if len(problems) == len(sizes):
        raise problems[0]


def advise(
    write: Annotated[bool, typer.Option(help="Write the proposals into params.yaml.")] = False,
) -> None:
    """Look at the data set and the budget, and propose values for params.yaml."""
    from thawline.advice import readiness

    checked = parameters.load()
    readiness.prepare_data_set(checked)
    from thawline.advice import gathering, proposing, show
    from thawline.params import edit

    found = gathering.gather(checked)
    proposals = proposing.propose(found)
    show.show(found, proposals)
    if write and proposals:
        edit.write(proposals, before=checked)
        print(f"params.yaml: {len(proposals)} values set; `git diff params.yaml` shows them")


def find_lr(
    stage: Annotated[str, typer.Option(help="transfer_learn or fine_tune.")] = "fine_tune",
) -> None:
    """Try learning rates from low to high on a stage's own network and data."""
    from thawline.training.find_lr import find

    curve, picture = find(stage, parameters.load())
    print(f"{stage}.learning_rate: {curve.suggestion:g}  (see {picture})")
