"""Check by SHA-256 that a downloaded data set is the recorded one.

The set is recorded by its first user, in params.yaml: any other text there is refused with the
right one.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from thawline.errors import UserError
from thawline.ingest.files.file_filter import read_regular
from thawline.ingest.items import Item, Reject
from thawline.runtime.escape import escape

_OPTION = "ingest.options.sha256"


def require_files(folder: Path, sha256: str) -> None:
    """Check the contents and names of all files below a folder.

    Args:
        folder: the folder.
        sha256: expected hash; nothing is read if empty.

    Raises:
        UserError: the hash differs.
    """
    if not sha256:
        return
    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        found.update(f"{file.relative_to(folder).as_posix()!r} {content}\n".encode())
    _compare(found.hexdigest(), sha256)


def require_items(items: Iterable[Item | Reject], sha256: str) -> Iterator[Item | Reject]:
    """Yield encoded images, and check their bytes and labels after the last one.

    Args:
        items: the items of a source.
        sha256: expected hash; nothing is compared if empty.

    Raises:
        UserError: the hash differs.
    """
    found = hashlib.sha256()
    for item in items:
        if sha256 and isinstance(item, Item):
            payload = item.payload
            data = (
                read_regular(payload, follow=False) if isinstance(payload, Path) else bytes(payload)
            )
            content = hashlib.sha256(data).hexdigest()
            found.update(f"{item.name!r} {item.label} {content}\n".encode())
        yield item
    if sha256:
        _compare(found.hexdigest(), sha256)


def _compare(found: str, sha256: str) -> None:
    if found != sha256.lower():
        raise UserError(
            f"{_OPTION}: {escape(sha256, 80)!r} is not the hash of the data set here; "
            f"if that one is right: {found}"
        )
