"""Upgrade a project's files to the installed package: `thawline init --upgrade`."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thawline.dvc import code, shipped
from thawline.errors import UserError
from thawline.params import edit, params_file
from thawline.project import generated
from thawline.runtime import safe_yaml


@dataclass
class Upgraded:
    """Changes of an upgrade.

    Attributes:
        before: version of the package before.
        now: version of the package now.
        stages: stages whose code has changed.
        renewed: files that were written.
        beside: files that had been edited; the new text is beside them, as `<name>.new`.
        added: new keys of params.yaml, dotted.
        gone: removed keys of params.yaml, dotted.
        ignored: lines that .gitignore lacked, of new outputs.
    """

    before: str
    now: str
    stages: list[str]
    renewed: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def upgrade(folder: Path) -> Upgraded:
    """Renew code.yaml, the files that nobody edited, and the keys of params.yaml.

    New keys get the package's value, removed keys are dropped, values of the others stay. The
    comments become the package's.

    Raises:
        UserError: there is no project, it has edits that are not committed, or a value is not
            allowed any more; then nothing has changed.
    """
    if not (folder / code.FILE).is_file():
        raise UserError(f"{code.FILE}: not here; `--upgrade` is for a project of `thawline init`")
    _check_committed(folder)
    before, now = code.read(folder / code.FILE), generated.record()
    changes = Upgraded(
        before=str(before.get("version")),
        now=now["version"],
        stages=[n for n, value in now["stages"].items() if before["stages"].get(n) != value],
    )
    _renew_params(folder / params_file.FILE, changes)
    _renew_ignored(folder / ".gitignore", changes)
    _renew_files(folder, changes)
    return changes


def _renew_params(path: Path, changes: Upgraded) -> None:
    source = shipped.folder() / params_file.FILE
    theirs, new = safe_yaml.load(path), safe_yaml.load(source)
    have, want = _leaves(theirs, new), _leaves(new, new)
    changes.added = sorted(want.keys() - have.keys())
    changes.gone = sorted(have.keys() - want.keys())
    if changes.added or changes.gone:
        kept = {key: value for key, value in have.items() if key in want and value != want[key]}
        edit.set_values(kept, path, source=source)
        changes.renewed.append(path.name)


def _leaves(raw: Mapping[str, Any], model: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten sections to dotted keys; a section in `model` is flattened, `options` are not."""
    found: dict[str, Any] = {}
    for key, value in raw.items():
        inner = model.get(key)
        if isinstance(value, Mapping) and isinstance(inner, Mapping) and inner:
            found |= _leaves(value, inner, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _renew_ignored(path: Path, changes: Upgraded) -> None:
    """Add the outputs that the file does not name: else DVC writes a .gitignore beside each."""
    have = (_text(path) or "").splitlines()
    shipped_lines = (shipped.folder() / path.name).read_text(encoding="utf-8").splitlines()
    changes.ignored = [line for line in shipped_lines if line[:1] == "/" and line not in have]
    if changes.ignored:
        path.write_text("\n".join([*have, *changes.ignored, ""]), encoding="utf-8")


def _renew_files(folder: Path, changes: Upgraded) -> None:
    known, texts = generated.recorded(folder), {}
    for name, text in generated.files().items():
        present = _text(folder / name)
        if present == text:
            known[name] = generated.digest(text)
        elif present is None or generated.digest(present) == known.get(name):
            texts[name] = text
            changes.renewed.append(name)
        else:
            (folder / f"{name}.new").write_text(text, encoding="utf-8")
            changes.beside.append(name)
    generated.write(folder, texts, known)


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _check_committed(folder: Path) -> None:
    try:
        listed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise UserError("git: is not installed, and a project needs it") from None
    if listed.returncode or listed.stdout.strip():
        said = listed.stderr or listed.stdout.strip().splitlines()[0]
        raise UserError(f"not committed: {said.strip()}; commit first, so that you can go back")
