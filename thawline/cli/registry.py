"""Define the commands for registered models and their test set."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from thawline.registry.promotions import Move

Version = Annotated[str, typer.Argument(help="Version number, or an alias.")]
Reason = Annotated[str, typer.Option(help="For the log of promotions.")]


def publish() -> None:
    """Register the final model in MLflow, once per model; the gate decides on the champion."""
    from thawline.registry.publish import publish as register

    done = register()
    if done is None:
        print("tracking is switched off: nothing published")
        return
    state = "registered as" if done.new else "is registered already as"
    print(f"model {state} {done.name} version {done.version}: {done.verdict.outcome}")
    for reason in done.verdict.reasons:
        print(f"  {reason}")


def promote(version: Version, reason: Reason = "") -> None:
    """Make a registered version the champion by hand."""
    from thawline.registry import promotions

    _say(promotions.promote(version, reason))


def rollback(reason: Reason = "") -> None:
    """Make the champion's predecessor the champion; a second time undoes the first."""
    from thawline.registry import promotions

    _say(promotions.rollback(reason))


def restore(version: Version) -> None:
    """Bring a registered version's commit, params and outputs into this folder."""
    from thawline.registry.restore import restore as bring

    done = bring(version)
    print(f"version {done.version}: commit {done.commit[:9]}, its params and outputs are here")
    if done.dirty:
        print("  it was made with uncommitted edits; of those only params.yaml is restored")
    if done.branch:
        print(f"  back: git checkout --force {done.branch} && dvc checkout")


def holdout(
    refresh: Annotated[bool, typer.Option("--refresh", help="Draw a new test set.")] = False,
) -> None:
    """Say how worn the test set is; draw a new one from images that no model has seen."""
    from thawline.registry import holdout as drawing

    if refresh:
        print(f"data/holdout.csv: {drawing.refresh():,} images are the test set from now on")
        print("  the old ones become training images: commit the file, then `thawline run` and")
        print("  `thawline publish`")
        return
    state = drawing.look()
    print(f"{state.num_test:,} test images; the gate has scored {state.looks:,} models on them")
    print(f"{state.num_fresh:,} images here that no model has seen")


def _say(move: "Move") -> None:
    print(f"{move.name}: version {move.version} is the champion, before it {move.before or 'none'}")
