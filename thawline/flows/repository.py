"""Call git and DVC as programs, to pull, compare, record and push in a retraining."""

import os
import re
import subprocess
import sys
from pathlib import Path

from thawline.errors import UserError
from thawline.flows import processes
from thawline.flows.processes import CommandError

_DVC_DIFFERS = 1
_ENV = {"GIT_TERMINAL_PROMPT": "0"}
"""A question that nobody answers at three in the morning would hang for ever."""


def git(folder: Path, *words: str) -> str:
    """Run git; return its standard output without the newline at the end.

    Raises:
        CommandError: git failed.
    """
    done = subprocess.run(
        ["git", *words], cwd=folder, env=os.environ | _ENV, capture_output=True, text=True
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CommandError(done.returncode, said[-1] if said else f"git {words[0]} failed")
    return done.stdout.rstrip("\n")


def dvc(folder: Path, *words: str) -> str:
    """Run DVC and return its output, never in another repository that DVC_ROOT names.

    Raises:
        CommandError: DVC failed.
    """
    os.environ.pop("DVC_ROOT", None)
    return "\n".join(processes.output([sys.executable, "-m", "dvc", *words], folder, _ENV))


def check(root: Path) -> None:
    """Check that the project is a whole git repository.

    Raises:
        UserError: it is not one, has no commit, or is only a part of one.
    """
    try:
        top = git(root, "rev-parse", "--show-toplevel")
        git(root, "rev-parse", "--verify", "HEAD")
    except CommandError as error:
        raise UserError(f"{root}: retraining needs a git repository: {error}") from None
    if Path(top).resolve() != root.resolve():
        raise UserError(f"{root}: is a part of the repository {top}; a project must be all of it")


def upstream(root: Path) -> str | None:
    """Return the remote branch that the current one follows, e.g. `origin/main`, or None."""
    try:
        return git(root, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
    except CommandError:
        return None


def remote(root: Path) -> str | None:
    """Return the remote to push to: `origin`, else the only one there is, or None."""
    names = git(root, "remote").splitlines()
    return "origin" if "origin" in names else names[0] if len(names) == 1 else None


def fetched(root: Path) -> str:
    """Fetch the commit to train on: the upstream branch's newest, else the checked out one.

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
    """Return True where DVC would run or restore anything."""
    try:
        dvc(folder, "status", "--quiet")
    except CommandError as error:
        if error.code == _DVC_DIFFERS:
            return True
        raise
    return False


def has_remote(folder: Path) -> bool:
    return bool(dvc(folder, "remote", "list").strip())


def check_branch_name(root: Path, branch: str) -> None:
    """Check the branch name of `--commit-to`, before anything is trained for it.

    Raises:
        UserError: it cannot be the name of a branch.
    """
    # Only a plain name: git's own check would expand `@{-1}` and take `+x`, which forces a push.
    plain = re.fullmatch(r"[^\W_][^\s+@{}]*", branch) and branch != "HEAD"
    try:
        if not plain:
            raise CommandError(1, "")
        git(root, "check-ref-format", _ref(branch))
    except CommandError:
        raise UserError(
            f"--commit-to: {branch!r} is not a branch name; letters, digits and . _ - / are "
            "allowed, e.g. retrained"
        ) from None


def check_branch(root: Path, branch: str) -> None:
    """Check that results may be recorded on a branch.

    Raises:
        UserError: it is not a valid name, or it is checked out: its files would not follow.
    """
    check_branch_name(root, branch)
    listed = git(root, "worktree", "list", "--porcelain")
    for entry in listed.split("\n\n"):
        lines = entry.splitlines()
        if f"branch {_ref(branch)}" in lines:
            folder = lines[0].removeprefix("worktree ")
            raise UserError(
                f"--commit-to: {branch!r} is checked out in {folder}; name another branch, which "
                "is made if need be"
            )


def commit(folder: Path, branch: str, message: str) -> str:
    """Commit everything in the folder to a branch, which never loses what it had.

    Raises:
        UserError: the branch is checked out somewhere, or is not a valid name.
        CommandError: somebody else moved it meanwhile; the next try builds on that.
    """
    check_branch(folder, branch)
    base = git(folder, "rev-parse", "HEAD")
    git(folder, "add", "--all")
    tree = git(folder, "write-tree")
    parents = [base]
    tip = git(folder, "for-each-ref", "--format=%(objectname)", _ref(branch))
    if tip:
        if git(folder, "rev-parse", f"{tip}^{{tree}}") == tree:
            return tip
        parents = [tip] if is_ancestor(folder, base, tip) else [tip, base]
    words = [word for parent in parents for word in ("-p", parent)]
    made = git(folder, "commit-tree", tree, *words, "-m", message)
    move(folder, branch, made, tip)
    return made


def move(folder: Path, branch: str, to: str, before: str) -> None:
    """Move a branch to another commit, if it is still where it was.

    Args:
        folder: a working tree of the repository.
        branch: name of the branch.
        to: the new commit.
        before: the commit it names now; empty where there is no such branch.

    Raises:
        CommandError: the branch is elsewhere.
    """
    git(folder, "update-ref", "-m", "Retrain", _ref(branch), to, before or "0" * len(to))


def push(folder: Path, remote: str, branch: str) -> None:
    """Push a branch under its own name, and no other; never by force.

    Raises:
        CommandError: the remote cannot be reached, or its branch has commits that ours lacks.
    """
    git(folder, "push", "--quiet", remote, f"{_ref(branch)}:{_ref(branch)}")


def _ref(branch: str) -> str:
    return f"refs/heads/{branch}"
