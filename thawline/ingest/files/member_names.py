"""Decode the names of files in an archive that does not declare their encoding.

Of a zip only names flagged as UTF-8 are sure; programs write others in the code page of their
machine (cp932 in Japan, GBK in China), or in UTF-8 without the flag.
"""

import codecs
import struct
import zipfile
import zlib
from collections.abc import Iterator

from thawline.errors import UserError
from thawline.runtime.escape import escape

_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075
"""The extra field in which Info-ZIP keeps a name in UTF-8, with the checksum of the other one."""
_STANDARD = "cp437"


def check_encoding(name: str) -> None:
    """Refuse an unknown encoding.

    Raises:
        UserError: the name is not that of a text encoding.
    """
    try:
        "".encode(codecs.lookup(name).name)
    except (LookupError, ValueError):
        raise UserError(
            f"ingest.options.name_encoding: {escape(name, 60)!r} is not a text encoding; allowed: "
            "cp932, gbk, big5, euc_kr, cp1251, cp1252, cp437, utf-8 and others that Python knows"
        ) from None


def zip_name(info: zipfile.ZipInfo, encoding: str) -> tuple[str, bool]:
    """Decode the name of a zip member.

    Args:
        info: the member.
        encoding: encoding of names without the UTF-8 flag; empty to guess.

    Returns:
        The name, and True where its encoding is a guess or does not fit all of its bytes.
    """
    name = info.filename
    if info.flag_bits & _UTF8_FLAG or name.isascii():
        return name, False
    raw = name.encode(_STANDARD, "surrogateescape")
    if encoding:
        return _decoded(raw, encoding)
    if (declared := _unicode_path(info.extra, info.orig_filename)) is not None:
        return declared, False
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:
        return name, True


def tar_name(name: str, encoding: str) -> tuple[str, bool]:
    """Decode the name of a tar member, which `tarfile` gives as UTF-8 with surrogates.

    Returns:
        The name, and True where its encoding is unknown or does not fit all of its bytes.
    """
    if name.isascii() or not any("\udc80" <= c <= "\udcff" for c in name):
        return name, False
    if not encoding:
        return name, True
    return _decoded(name.encode("utf-8", "surrogateescape"), encoding)


def _decoded(raw: bytes, encoding: str) -> tuple[str, bool]:
    """Decode with surrogates for bytes that do not fit: an escape would have a backslash."""
    name = raw.decode(encoding, "surrogateescape")
    return name, any("\udc80" <= c <= "\udcff" for c in name)


def _unicode_path(extra: bytes, written: str) -> str | None:
    for kind, data in _fields(extra):
        if kind == _UNICODE_PATH and len(data) > 5 and data[0] == 1:
            (checksum,) = struct.unpack_from("<I", data, 1)
            if checksum == zlib.crc32(written.encode(_STANDARD, "surrogateescape")):
                return data[5:].decode("utf-8", "surrogateescape").split("\0")[0]
    return None


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        yield kind, extra[at + 4 : at + 4 + size]
        at += 4 + size
