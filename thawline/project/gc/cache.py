"""Clean DVC's cache of what nothing needs.

Branches, tags, experiments, young commits and registered versions need their files.
"""

import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from thawline.dvc.commands import dvc, dvc_messages, git
from thawline.errors import UserError
from thawline.runtime import workspace

_HASH = re.compile(r"\bmd5: '?([0-9a-f]{32}(?:\.dir)?)\b")
_REMOVING = re.compile(r"Removing (/.*)")


class SharedCacheError(Exception):
    """Raised when others may share the cache; the message says what to do."""


def folder() -> Path:
    """Return the folder of the cache.

    Raises:
        SharedCacheError: it is outside of the project, where others may use it too.
    """
    found = (workspace.root() / dvc("cache", "dir")).resolve()
    if not found.is_relative_to(workspace.root()):
        raise SharedCacheError(
            f"{found}: DVC's cache is outside of the project, and others may share it; "
            "`dvc gc --projects` cleans it by hand"
        )
    return found


def hashes_at(commit: str) -> set[str]:
    """Collect the hashes that `dvc.lock` and the `.dvc` files of a commit name."""
    names = git("ls-tree", "-r", "-z", "--name-only", commit).split("\0")
    found = [name for name in names if name == "dvc.lock" or name.endswith(".dvc")]
    return {value for name in found for value in _HASH.findall(git("show", f"{commit}:{name}"))}


def sweep(before_s: float, kept: Iterable[str], *, dry: bool) -> list[int]:
    """Remove what is not needed; return the bytes of each object.

    Args:
        before_s: commits from then on are kept whole, seconds since the epoch; by the day.
        kept: further hashes that are needed.
        dry: True only counts what would go.

    Raises:
        SharedCacheError: the cache is outside of the project.
    """
    place = folder()
    date = time.strftime("%Y-%m-%d", time.localtime(before_s))
    scope = ["--workspace", "--all-branches", "--all-tags", "--date", date, "--force"]
    with _holding(place, kept) as beside:
        found = _REMOVING.findall(dvc_messages("gc", *scope, "--projects", str(beside), "--dry"))
        sizes = [Path(path).stat().st_size for path in found]
        if not dry and sizes:
            dvc("gc", *scope, "--projects", str(beside))
    return sizes


@contextmanager
def _holding(cache: Path, kept: Iterable[str]) -> Iterator[Path]:
    """Create a DVC project that only needs these hashes, as `dvc gc --projects` wants it."""
    scratch = workspace.scratch() / "staging"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="gc-") as temporary:
        beside = Path(temporary)
        (beside / ".dvc").mkdir()
        settings = f"[core]\n    no_scm = true\n[cache]\n    dir = {cache}\n"
        (beside / ".dvc/config").write_text(settings, encoding="utf-8")
        for value in sorted(set(kept)):
            if (cache / "files" / "md5" / value[:2] / value[2:]).is_file():
                text = f"outs:\n- md5: {value}\n  hash: md5\n  path: held-{value}\n"
                (beside / f"{value}.dvc").write_text(text, encoding="utf-8")
        yield beside


def needed(commits: Iterable[str], outs: Iterable[Mapping[str, str]]) -> set[str]:
    """Collect the hashes of commits, as far as git has them, and of outputs."""
    found = {value for named in outs for value in named.values()}
    for commit in set(commits):
        try:
            found |= hashes_at(commit)
        except UserError:  # e.g. of a branch that was removed
            continue
    return found
