"""Read the files inside a zip or tar archive one after another, never unpacked on disk.

The standard library unpacks some methods without a bound (ten kilobytes of bzip2 become
gigabytes), so zip members must be stored or deflated, and a tar is read through a decompressor
that is asked for a few kilobytes at a time.
"""

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, cast

from thawline.errors import UserError
from thawline.ingest.decoding.file_format import HEAD_BYTES
from thawline.ingest.files.member_names import check_encoding, tar_name, zip_name
from thawline.runtime.escape import escape

MAX_MEMBERS = 2_000_000
MAX_MEMBER_BYTES = 128 * 2**20
MIN_TOTAL_BYTES = 2**28
MAX_EXPANSION = 100
"""Together the members may have this many times the archive's size, or MIN_TOTAL_BYTES."""
LEAST_MEMBER_BYTES = 32
MIN_MEMBERS = 50_000
"""An archive may have a member for each LEAST_MEMBER_BYTES of its size, or MIN_MEMBERS: the headers
of a tar take 20 us each, and a million of them pack into a few kilobytes."""
MAX_NAME = 4096
MAX_FOLDERS = 100
"""Bytes of a member's name, and folders in it."""
_MAX_TAR_HEADER = 2**16
MIN_HEADER_BYTES = 2**22
_HEADER_SHARE = 8
"""Together the long headers of a tar may have this many times its size, or MIN_HEADER_BYTES: a
record of one takes a microsecond."""
_LONG_HEADERS = (*b"xgXLK",)
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, ValueError)
_OPENERS: dict[bytes, Callable[[Path], object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}


_OTHERS = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"\x28\xb5\x2f\xfd": "zstd"}
"""Archives that are not read, by their first bytes."""


class MemberError(ValueError):
    """Raised when one member cannot be read; the others may be fine."""


@dataclass(frozen=True)
class Member:
    name: str
    """Path with / between folders, without . and empty parts."""
    problem: str | None
    """Reason why it must not be opened, or None."""
    load: Callable[[], bytes]
    """Reader of its content; call it before the next member is asked for. Raises MemberError."""
    head: Callable[[], bytes]
    """Reader of its first file_format.HEAD_BYTES; a tar's content cannot be loaded after it."""
    is_guessed: bool = False
    """Nothing says how its name is encoded."""


def members(path: Path, name_encoding: str = "") -> Iterator[Member]:
    """Yield every member that is not a folder, in the order of the archive.

    Args:
        path: the archive.
        name_encoding: encoding of names that the archive does not declare as UTF-8; empty to guess.

    Raises:
        UserError: no archive, damaged, too many members, or it expands too far.
    """
    if name_encoding:
        check_encoding(name_encoding)
    try:
        with path.open("rb") as file:
            head = file.read(6)
        for start, kind in _OTHERS.items():
            if head.startswith(start):
                raise _refusal(path, f"a {kind} archive; zip and tar are read (.gz, .bz2, .xz too)")
        if head.startswith((b"PK\3\4", b"PK\5\6")):
            yield from _zipped(path, name_encoding)
        else:
            yield from _tarred(path, head, name_encoding)
    except _DAMAGE as error:
        raise _refusal(path, f"damaged, or no zip or tar archive: {error}") from None
    except (OSError, RuntimeError) as error:  # NotImplementedError too
        raise _refusal(
            path, getattr(error, "strerror", None) or f"cannot be read: {error}"
        ) from None


def _zipped(path: Path, name_encoding: str) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        _check_number(path, len(infos), path.stat().st_size)
        check_total(path, sum(info.file_size for info in infos))
        for info in infos:
            if info.filename[-1:] != "/":  # is_dir() fails on an empty name
                # The standard wants /; some tools on Windows write \.
                written, guessed = zip_name(info, name_encoding)
                name, problem = _checked_name(written.replace("\\", "/"))
                problem = problem or _zip_problem(info)
                yield Member(
                    name,
                    problem,
                    lambda info=info: _unzip(archive, info, info.file_size),  # type: ignore[misc]
                    lambda info=info: _unzip(archive, info, HEAD_BYTES),  # type: ignore[misc]
                    guessed,
                )


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & 1:
        return "encrypted"
    if kind == stat.S_IFLNK:
        return "a link"
    if kind not in (0, stat.S_IFREG):
        return "not a regular file"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"compression method {info.compress_type} is not supported"
    return _size_problem(info.file_size)


def _unzip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> bytes:
    try:
        with archive.open(info) as file:
            return file.read(size)
    except (*_DAMAGE, OSError, RuntimeError) as error:
        raise MemberError(_damage(error)) from None


def _tarred(path: Path, head: bytes, name_encoding: str) -> Iterator[Member]:
    opener = next((o for magic, o in _OPENERS.items() if head.startswith(magic)), open)
    with cast(IO[bytes], opener(path) if opener is not open else path.open("rb")) as file:
        stream, size = cast(IO[bytes], _Bounded(file, path)), path.stat().st_size
        with tarfile.open(
            fileobj=stream, mode="r|", tarinfo=_strict(size), encoding="utf-8"
        ) as archive:
            number = 0
            while (info := archive.next()) is not None:
                # It would remember each one, half a kilobyte.
                archive.members.clear()  # type: ignore[attr-defined]
                number += 1
                _check_number(path, number, size)
                if not info.isdir():
                    written, guessed = tar_name(info.name, name_encoding)
                    name, problem = _checked_name(written)
                    problem = problem or _tar_problem(info)
                    yield Member(
                        name,
                        problem,
                        lambda info=info: _untar(archive, info, info.size),  # type: ignore[misc]
                        lambda info=info: _untar(archive, info, HEAD_BYTES),  # type: ignore[misc]
                        guessed,
                    )
            _check_rest(archive)


def _tar_problem(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return "a link"
    if not info.isreg() or info.issparse():
        return "a file with holes" if info.isreg() else "not a regular file"
    return _size_problem(info.size)


def _untar(archive: tarfile.TarFile, info: tarfile.TarInfo, size: int) -> bytes:
    file = archive.extractfile(info)
    assert file is not None, "asked for a member that is no regular file"
    try:
        return file.read(size)
    except (*_DAMAGE, OSError) as error:  # asking for the next member says what is wrong
        raise MemberError(_damage(error)) from None


def _check_rest(archive: tarfile.TarFile) -> None:
    """Read to the end of the stream, where gzip and xz compare their checksums."""
    rest = cast(IO[bytes], archive.fileobj)
    while data := rest.read(2**20):
        if data.count(0) != len(data):
            raise tarfile.ReadError("something follows the end of the archive")


class _StrictInfo(tarfile.TarInfo):
    """Tar header reader that reports a damaged header, which tarfile takes for the end.

    Attributes:
        header_bytes: bytes that long headers may still have.
    """

    header_bytes = 0

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if not buf:
            raise tarfile.ReadError("it ends before its end mark")
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf.count(0) == len(buf) == tarfile.BLOCKSIZE:
                raise
            raise tarfile.ReadError(str(error)) from None
        if info.type[0] in _LONG_HEADERS:
            cls.header_bytes -= info.size
            if info.size > _MAX_TAR_HEADER:
                raise tarfile.ReadError(f"a header of {info.size} bytes")
            if cls.header_bytes < 0:
                raise tarfile.ReadError("its headers expand too far")
        return info

    def _proc_sparse(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self._sparse_structs[1]:  # type: ignore[attr-defined]
            raise tarfile.ReadError("a file with more than four holes")
        return super()._proc_sparse(archive)  # type: ignore[misc, no-any-return]

    def _proc_gnusparse_10(self, info: tarfile.TarInfo, *_: object) -> None:
        """Mark a sparse file, which is refused; its map may be as long as the archive."""
        info.sparse = []  # type: ignore[assignment]


def _strict(archive_bytes: int) -> type[tarfile.TarInfo]:
    allowed = max(MIN_HEADER_BYTES, _HEADER_SHARE * archive_bytes)
    return type("_StrictInfo", (_StrictInfo,), {"header_bytes": allowed})


class _Bounded:
    """Reader that limits how many bytes come out of a decompressor."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self._total = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._total += len(data)
        check_total(self._path, self._total)
        return data


def _checked_name(name: str) -> tuple[str, str | None]:
    if len(name) > MAX_NAME or name.count("/") > MAX_FOLDERS:
        problem = f"a name of {len(name)} characters and {name.count('/')} folders; at most"
        return name[:100].rpartition("/")[2] or "long", f"{problem} {MAX_NAME} and {MAX_FOLDERS}"
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts:
        return "", "no name"
    outside = name.startswith("/") or ".." in parts or parts[0][1:2] == ":"
    return "/".join(parts), "name leads outside of the archive" if outside else None


def _size_problem(size: int) -> str | None:
    return f"{size} bytes; at most {MAX_MEMBER_BYTES}" if size > MAX_MEMBER_BYTES else None


def _check_number(path: Path, number: int, archive_bytes: int) -> None:
    allowed = min(MAX_MEMBERS, max(MIN_MEMBERS, archive_bytes // LEAST_MEMBER_BYTES))
    if number > allowed:
        raise _refusal(path, f"more than {allowed} members in {archive_bytes} bytes")


def check_total(path: Path, total: int) -> None:
    """Refuse a packed file that expands to far more bytes than it has.

    Raises:
        UserError: more than MAX_EXPANSION times its size, and more than MIN_TOTAL_BYTES.
    """
    allowed = max(MIN_TOTAL_BYTES, MAX_EXPANSION * path.stat().st_size)
    if total > allowed:
        raise _refusal(
            path, f"expands to more than {allowed} bytes, {MAX_EXPANSION} times its size"
        )


def _damage(error: Exception) -> str:
    return f"damaged: {escape(' '.join(str(error).split()))}"


def _refusal(path: Path, problem: str) -> UserError:
    return UserError(f"ingest.path: {escape(path.name)!r}: {escape(problem, 300)}")
