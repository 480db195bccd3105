"""Write the files that `thawline init` makes from the package, and an upgrade renews."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from thawline.dvc import code, shipped

_FILES = "files"
_SAYS = """\
# Written by `thawline init`, and by `thawline init --upgrade` for another version of the package:
# the code that results are made by. Stages depend on `stages` and `plugins`; an edit of a hash
# runs them again. `files` are those that an upgrade renews as long as nobody edited them.
"""
_README = """\
# An image classifier

Made with thawline {version}; `params.yaml` holds every knob, with its choices.

```console
$ thawline check          # are the params allowed?
$ thawline run            # runs the stages that changed
$ thawline table          # accuracy, latency, size
$ thawline publish        # registers the model in MLflow
$ thawline ui             # MLflow's pages
$ git add --all && git commit -m "Baseline"
```

The images are named by `ingest.source` and `ingest.path`, wrong labels corrected in
`data/label_fixes.csv`. `dvc.yaml` has the stages, `studies/` the comparisons for `thawline study`.

Another version of thawline: commit what you have, install it, then `thawline init --upgrade`. What
the new code changes runs again. An older commit runs on the version that its `code.yaml` names.
"""


_STAGES = """\
\"\"\"The stages of the installed thawline, where `python -m stages.ingest` finds them.\"\"\"

from thawline.dvc import shipped

__path__ = [str(shipped.stages())]
"""


def files() -> dict[str, str]:
    """Return path -> text of all generated files but code.yaml."""
    folder = shipped.folder() / "studies"
    studies = {f"studies/{path.name}": path.read_text("utf-8") for path in folder.glob("*.yaml")}
    readme = _README.format(version=shipped.version())
    stages = {"stages/__init__.py": _STAGES}
    return {"dvc.yaml": pipeline(), "README.md": readme, **stages, **studies}


def pipeline() -> str:
    """Return the package's dvc.yaml without the stage `code`: the modules lie elsewhere."""
    text = (shipped.folder() / "dvc.yaml").read_text(encoding="utf-8")
    before, _, rest = text.partition(f"  {code.STAGE}:\n")
    return before + rest.partition("\n\n")[2]


def record() -> code.Hashes:
    """Say what the installed package would have code.yaml say, without the files."""
    return {"version": shipped.version(), **code.running().record()}


def write(folder: Path, texts: Mapping[str, str], known: Mapping[str, str] | None = None) -> None:
    """Write the files and, last, code.yaml.

    Args:
        folder: the project.
        texts: path -> text.
        known: hashes of files that stay as they are, to be kept on record.
    """
    for name, text in texts.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    hashes = dict(known or {}) | {name: digest(text) for name, text in texts.items()}
    content = record() | {_FILES: dict(sorted(hashes.items()))}
    (folder / code.FILE).write_text(code.text(content, _SAYS), encoding="utf-8")


def recorded(folder: Path) -> dict[str, str]:
    """Read path -> hash of the text that was written last."""
    found = code.read(folder / code.FILE).get(_FILES)
    return dict(found) if isinstance(found, dict) else {}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
