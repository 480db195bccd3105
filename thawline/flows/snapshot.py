"""Keep the project as it is when a study begins: later edits are for the next study."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from thawline.errors import UserError
from thawline.flows.repository import git
from thawline.flows.worktree import WorkTree
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.studies.records import listing

_NAME = "workspaces/snapshot"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A working tree that trials are made from; it can be pickled.

    Attributes:
        inputs: a hash of names, sizes and times of the images and weights that params name; large
            ones are hard links, and some lie outside of the project.
    """

    folder: Path
    inputs: str

    def params(self) -> Params:
        """Read params.yaml as it was.

        Raises:
            UserError: it is not valid.
        """
        return params_file.check(params_file.read(self.folder / params_file.FILE).values)

    def require(self) -> None:
        """Check that the images and weights are still those of the beginning.

        Raises:
            UserError: a file was written to, or one outside of the project came or went.
        """
        if _inputs(self.folder) != self.inputs:
            named = ", ".join(sorted(set(params_file.named_inputs(self.params()).values())))
            raise UserError(
                f"images or weights ({named}) were changed since the study began; begin it again"
            )


@contextmanager
def taken(root: Path) -> Iterator[Snapshot]:
    """Take a snapshot for the block.

    Raises:
        UserError: files of the project were changed at that very moment.
    """
    tree = WorkTree(root, git(root, "rev-parse", "HEAD"), _NAME)
    try:
        tree.make(outputs=False)
        if tree.project_changed():
            raise UserError("files of the project were changed while the study began; run it again")
        _keep_times(root, tree.folder)
        yield Snapshot(folder=tree.folder, inputs=_inputs(tree.folder))
    finally:
        tree.remove()


def _inputs(folder: Path) -> str:
    found = [listing(folder / path) for path in _input_names(folder)]
    return hashlib.sha256(repr(found).encode(errors="surrogateescape")).hexdigest()


def _input_names(folder: Path) -> list[str]:
    named = params_file.named_inputs(
        params_file.check(params_file.read(folder / params_file.FILE).values)
    )
    return sorted(set(named.values()))


def _keep_times(root: Path, folder: Path) -> None:
    """Copy the originals' times to what git checked out; trials are known by them."""
    for name in _input_names(folder):
        path = folder / name
        files = path.rglob("*") if path.is_dir() else [path]
        for file in files if path.is_relative_to(folder) else ():
            original = root / file.relative_to(folder)
            if file.is_file() and not file.is_symlink() and original.is_file():
                stat = original.stat()
                os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
