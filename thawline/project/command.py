"""Run and report `thawline init`."""

from pathlib import Path

from thawline.errors import UserError
from thawline.project import create as creation
from thawline.project import upgrade as renewal


def create(folder: Path, source: str | None, path: Path | None) -> None:
    """Create a project; with a source, its params name the images."""
    if path is not None and not path.exists():
        home = "; ~ is not expanded here: write the whole path" if str(path)[:1] == "~" else ""
        raise UserError(f"--path: {str(path)!r} does not exist{home}")
    values = {"ingest.source": source, "ingest.path": path and str(path.resolve())}
    creation.create(folder, {key: value for key, value in values.items() if value is not None})
    print(f"{folder}: a project; nothing is committed yet. Next:")
    print(f'  cd {folder} && git commit -m "Start" && thawline run')
    if source is None:
        print("It uses scanned digits until ingest.source and ingest.path name your images.")
    else:
        print("Nothing has to be set: the stages decide the `auto` values and report them.")


def upgrade(folder: Path, source: str | None, path: Path | None) -> None:
    """Upgrade the project in the folder to the installed package, and print the changes."""
    if source is not None or path is not None:
        raise UserError("--source and --path are for a new project, not for --upgrade")
    done = renewal.upgrade(folder)
    print(f"from thawline {done.before} to {done.now}")
    lines = {
        "written": done.renewed,
        "edited here, so the new text is in <name>.new": done.beside,
        "params.yaml, new keys, with the package's values": done.added,
        "params.yaml, keys that were removed": done.gone,
        ".gitignore, outputs that it lacked": done.ignored,
        "stages with changed code, which run again": done.stages,
    }
    for what, names in lines.items():
        if names:
            print(f"{what}: {', '.join(names)}")
    if not any(lines.values()):
        print("nothing to renew")
