"""Make a working tree for a run from the project as it is, and swap the results in when done.

The run sees the newest commit, edits that are not committed, and images that git does not know; it
shares DVC's cache and the MLflow store. Until `swap` the project itself stays as it is.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from thawline.dvc.hashes import Graph, md5
from thawline.errors import UserError
from thawline.flows.processes import CommandError
from thawline.flows.repository import dvc, git, has_remote
from thawline.params import params_file
from thawline.runtime import locks, workspace
from thawline.tracking import closing

Edits = dict[str, str | None]
"""path -> hash of the files that differ from a commit and that git does not ignore, images and
weights apart; None: gone.
"""
_SWAP_WAIT_S = 1800.0


class WorkTree:
    """A working tree of one project, at one commit.

    Args:
        root: the project.
        commit: commit to check out; HEAD or a descendant.
        name: name of the folder in the project's scratch.
    """

    def __init__(self, root: Path, commit: str, name: str = "retrain") -> None:
        self.root, self.commit = root, commit
        self.folder = workspace.scratch() / name
        self._head = git(root, "rev-parse", "HEAD")
        self._before = edits(root)

    @property
    def is_behind(self) -> bool:
        """True where the project lacks commits that the tree has."""
        return self.commit != self._head

    @contextmanager
    def made(self) -> Iterator[Path]:
        """Make the working tree for the block.

        Raises:
            UserError: an edit that is not committed is to a file that newer commits change.
        """
        try:
            self.make()
            self._made = edits(self.folder)
            yield self.folder
        finally:
            self.remove()

    def make(self, *, outputs: bool = True) -> None:
        """Make the working tree, to stay; an existing one is replaced.

        Args:
            outputs: True checks out the outputs of the stages too.

        Raises:
            UserError: an edit that is not committed is to a file that newer commits change.
        """
        self._check_edits()
        self.remove()
        git(self.root, "worktree", "add", "--quiet", "--detach", str(self.folder), self.commit)
        self._share_cache()
        self._copy_edits()
        if outputs:
            self._check_out()
        self._link_inputs()

    def remove(self) -> None:
        with suppress(CommandError):
            git(self.root, "worktree", "remove", "--force", str(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)
        git(self.root, "worktree", "prune")

    def swap(self) -> None:
        """Bring the results into the project.

        Raises:
            UserError: its files have changed meanwhile; the results stay in DVC's cache, so that
                the next run restores them.
            locks.BusyError: another run has been in progress there for half an hour.
        """
        with locks.pipeline(_SWAP_WAIT_S, owner="the end of a retraining"):
            if self.project_changed():
                raise UserError(
                    "files of the project have changed during the run, so its results are not "
                    "brought in; `thawline run` takes them from DVC's cache where they still fit"
                )
            git(self.root, "merge", "--quiet", "--ff-only", self.commit)
            after = edits(self.folder)
            for path in sorted(after.keys() | self._made.keys()):
                if after.get(path, "") != self._made.get(path, ""):
                    _copy(self.folder / path, self.root / path)
            dvc(self.root, "checkout", "--force", "dvc.yaml")
            for name in inputs(self.folder):
                tracked = (self.root / f"{name}.dvc").is_file()
                missing = not (self.root / name).exists()
                if tracked and (missing or f"{name}.dvc" in self._pulled()):
                    dvc(self.root, "checkout", f"{name}.dvc")
            closing.remember(Graph(self.root).digest())

    def project_changed(self) -> bool:
        """Return True where the project's commit or edits have changed since then."""
        head = git(self.root, "rev-parse", "HEAD")
        return head != self._head or edits(self.root) != self._before

    def _pulled(self) -> set[str]:
        """List the files that newer commits change."""
        listed = git(self.root, "diff", "--name-only", "-z", self._head, self.commit)
        return set(listed.split("\0")) - {""}

    def _check_edits(self) -> None:
        both = sorted(self._pulled() & self._before.keys())
        if both:
            raise UserError(
                f"{both[0]}: changed here and in the newest commits ({len(both)} such file(s)); "
                "commit or undo the edit here"
            )

    def _share_cache(self) -> None:
        local = Path(".dvc/config.local")
        if (self.root / local).is_file():
            shutil.copy(self.root / local, self.folder / local)
        cache = self.root / dvc(self.root, "cache", "dir").strip()
        dvc(self.folder, "cache", "dir", "--local", str(cache))

    def _check_out(self) -> None:
        with suppress(CommandError):  # what nobody pushed is made or restored by the run
            if has_remote(self.folder):
                dvc(self.folder, "fetch")
        with suppress(CommandError):
            dvc(self.folder, "checkout", "--force", "dvc.yaml")

    def _copy_edits(self) -> None:
        for path in self._before:
            _copy(self.root / path, self.folder / path)

    def _link_inputs(self) -> None:
        """Hard-link images and weights in the project that git does not have.

        Nothing writes to an input, so that is safe; one that newer commits bring is checked out.
        """
        for name in inputs(self.folder):
            source, target = self.root / name, self.folder / name
            tracked = (self.folder / f"{name}.dvc").is_file()
            if tracked and (f"{name}.dvc" in self._pulled() or not source.exists()):
                dvc(self.folder, "checkout", f"{name}.dvc")
            elif source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(source, target)


def inputs(folder: Path) -> list[str]:
    """List the paths of a working tree that its params name and git does not have.

    What one `.dvc` file tracks is listed as a whole.

    Raises:
        UserError: params.yaml is not valid.
    """
    named = params_file.named_inputs(params_file.load(folder / params_file.FILE)).values()
    known = set(git(folder, "ls-files", "-z").split("\0"))
    found = {_tracked(folder, Path(n)) for n in named if not Path(n).is_absolute()}
    return sorted(n for n in found if not {n, *_below(n, known)} & known)


def all_but_inputs(folder: Path) -> list[str]:
    """Build git's path arguments that exclude the input images.

    Images that git was not told to ignore may be many, and are linked, not copied.
    """
    return ["--", ".", *(f":(exclude,literal){name}" for name in inputs(folder))]


def edits(folder: Path) -> Edits:
    """Hash the uncommitted changes and new files of a working tree; None for a deleted one."""
    status = ("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all")
    listed = git(folder, *status, *all_but_inputs(folder))
    paths = [entry[3:] for entry in listed.split("\0") if entry and not entry.endswith("/")]
    return {path: md5(folder / path) if (folder / path).exists() else None for path in paths}


def _copy(source: Path, target: Path) -> None:
    """Copy one file, or its absence; a kill meanwhile leaves the old one or the new."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f".{target.name}.half")
        try:
            shutil.copy2(source, half)
            half.replace(target)
        finally:
            half.unlink(missing_ok=True)
    else:
        target.unlink(missing_ok=True)


def _tracked(folder: Path, path: Path) -> str:
    """Return the path, or the folder above it that a `.dvc` file stands for."""
    for above in (path, *path.parents):
        if (folder / f"{above}.dvc").is_file():
            return above.as_posix()
    return path.as_posix()


def _below(name: str, known: set[str]) -> set[str]:
    return {path for path in known if path.startswith(f"{name}/")}


def _link(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.resolve())
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=_link_file)
    else:
        _link_file(str(source), str(target))


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)
