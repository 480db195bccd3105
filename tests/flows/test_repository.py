"""The branch that a retraining records on: its name, who else has it, what it held before."""

import subprocess
from pathlib import Path

import pytest

from thawline.errors import UserError
from thawline.flows import repository
from thawline.flows.processes import CommandError
from thawline.flows.repository import git


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a branch `results` beside the one that is checked out."""
    folder = tmp_path / "project"
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    for key in ("user.name", "user.email"):
        git(folder, "config", key, "a@b")
    (folder / "file").write_text("one")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    git(folder, "branch", "results")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "-f", "--force", "+main", "a:b", "main:", "@", "@{-1}", "HEAD", "a b", "a..b",
        "a~1", "a^", "/a", "a/", "a//b", "a.lock", "a\n", "refs/heads/*", ".a", "a\\b", "main@{1}",
    ],
)  # fmt: skip
def test_what_is_no_branch_is_refused(root: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"^--commit-to: .* is not a branch name; letters"):
        repository.check_branch_name(root, name)
    with pytest.raises(UserError, match=r"is not a branch name"):
        repository.commit(root, name, "Retrain")


@pytest.mark.parametrize("name", ["retrained", "models/2026-11", "v1.2_x", "über", "1"])
def test_names_that_are(root: Path, name: str) -> None:
    repository.check_branch(root, name)


def test_a_branch_that_is_checked_out_is_refused_with_where(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(root, "worktree", "add", "-q", str(other), "results")
    with pytest.raises(UserError, match=rf"'results' is checked out in {other}; name another"):
        repository.check_branch(root, "results")
    with pytest.raises(UserError, match=rf"'main' is checked out in {root}; "):
        repository.commit(root, "main", "Retrain")
    assert git(root, "rev-list", "--count", "main", "results") == "1"


def test_a_commit_keeps_what_its_branch_had(root: Path) -> None:
    made = []
    for text in ("two", "three"):
        (root / "file").write_text(text)
        made.append(repository.commit(root, "retrained", "Retrain"))
    assert repository.commit(root, "retrained", "Retrain") == made[1]  # nothing new
    assert git(root, "rev-list", "retrained").split()[:2] == made[::-1]


def test_a_branch_that_moved_meanwhile_stays_where_it_is(root: Path) -> None:
    before = git(root, "rev-parse", "results")
    tree = git(root, "rev-parse", "main^{tree}")
    theirs = git(root, "commit-tree", tree, "-p", before, "-m", "theirs")
    ours = git(root, "commit-tree", tree, "-p", before, "-m", "ours")
    git(root, "branch", "--force", "results", theirs)
    with pytest.raises(CommandError):
        repository.move(root, "results", ours, before)
    with pytest.raises(CommandError):
        repository.move(root, "results", ours, "")  # made meanwhile
    assert git(root, "rev-parse", "results") == theirs
    repository.move(root, "results", ours, theirs)
    assert git(root, "rev-parse", "results") == ours


def test_a_push_goes_to_the_branch_of_its_name_and_forces_nothing(
    root: Path, tmp_path: Path
) -> None:
    remote = tmp_path / "remote.git"
    git(root, "init", "-q", "--bare", str(remote))
    git(root, "remote", "add", "origin", str(remote))
    git(root, "tag", "results")  # a name that git would find twice
    repository.push(root, "origin", "results")
    assert git(remote, "for-each-ref", "--format=%(refname)") == "refs/heads/results"
    tree = git(root, "rev-parse", "main^{tree}")
    for text in ("theirs", "ours"):
        made = git(root, "commit-tree", tree, "-p", "main", "-m", text)
        git(root, "update-ref", "refs/heads/results", made)
        if text == "theirs":
            repository.push(root, "origin", "results")
    with pytest.raises(CommandError):
        repository.push(root, "origin", "results")
