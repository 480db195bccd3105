"""git and DVC as programs, for what a retraining pulls, compares, records and pushes."""

import os
import subprocess
import sys
from pathlib import Path

from flows import processes
from flows.processes import CommandError
from thawline.errors import UserError

_DVC_DIFFERS = 1
_ENV = {"GIT_TERMINAL_PROMPT": "0"}
"""A question that nobody answers at three in the morning would hang for ever."""


def git(folder: Path, *words: str) -> str:
    """Standard output, without the newline at its end."""
    done = subprocess.run(
        ["git", *words], cwd=folder, env=os.environ | _ENV, capture_output=True, text=True
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CommandError(done.returncode, said[-1] if said else f"git {words[0]} failed")
    return done.stdout.rstrip("\n")


def dvc(folder: Path, *words: str) -> str:
    """Never in the repository that DVC_ROOT names, if a stage of another one set it."""
    os.environ.pop("DVC_ROOT", None)
    return "\n".join(processes.output([sys.executable, "-m", "dvc", *words], folder, _ENV))


def check(root: Path) -> None:
    """Raises UserError where the project is no git repository, or only a part of one."""
    try:
        top = git(root, "rev-parse", "--show-toplevel")
        git(root, "rev-parse", "--verify", "HEAD")
    except CommandError as error:
        raise UserError(f"{root}: retraining needs a git repository: {error}") from None
    if Path(top).resolve() != root.resolve():
        raise UserError(f"{root}: is a part of the repository {top}; a project must be all of it")


def upstream(root: Path) -> str | None:
    """The remote branch that the current one follows, e.g. `origin/main`."""
    try:
        return git(root, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
    except CommandError:
        return None


def remote(root: Path) -> str | None:
    """Where to push to: `origin`, else the only remote there is."""
    names = git(root, "remote").splitlines()
    return "origin" if "origin" in names else names[0] if len(names) == 1 else None


def fetched(root: Path) -> str:
    """Commit to train on: the newest of the upstream branch, else the one that is checked out.

    Raises:
        UserError: both have commits that the other has not.
    """
    head, branch = git(root, "rev-parse", "HEAD"), upstream(root)
    if branch is None:
        return head
    git(root, "fetch", "--quiet", branch.partition("/")[0])
    theirs = git(root, "rev-parse", branch)
    if is_ancestor(root, theirs, head):
        return head
    if is_ancestor(root, head, theirs):
        return theirs
    raise UserError(f"git: this branch and {branch} have diverged; merge or rebase by hand")


def is_ancestor(root: Path, older: str, newer: str) -> bool:
    try:
        git(root, "merge-base", "--is-ancestor", older, newer)
    except CommandError as error:
        if error.code == 1:
            return False
        raise
    return True


def changed(folder: Path) -> bool:
    """Whether DVC would run or restore anything."""
    try:
        dvc(folder, "status", "--quiet")
    except CommandError as error:
        if error.code == _DVC_DIFFERS:
            return True
        raise
    return False


def has_remote(folder: Path) -> bool:
    return bool(dvc(folder, "remote", "list").strip())


def commit(folder: Path, branch: str, message: str) -> str:
    """Everything in the folder as a commit on a branch, which never loses what it had.

    Raises:
        UserError: the branch is checked out somewhere, or is no name for one.
    """
    base = git(folder, "rev-parse", "HEAD")
    git(folder, "add", "--all")
    tree = git(folder, "write-tree")
    parents = [base]
    if tip := git(folder, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}"):
        if git(folder, "rev-parse", f"{tip}^{{tree}}") == tree:
            return tip
        parents = [tip] if is_ancestor(folder, base, tip) else [tip, base]
    words = [word for parent in parents for word in ("-p", parent)]
    made = git(folder, "commit-tree", tree, *words, "-m", message)
    try:
        git(folder, "branch", "--force", branch, made)
    except CommandError as error:
        raise UserError(f"--commit-to: {branch!r}: {error}") from None
    return made
