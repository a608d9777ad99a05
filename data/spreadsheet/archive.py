"""A look at the directory of a workbook before anything in it is unpacked.

Runs in the child process, standard library only: a directory can itself be a bomb.
"""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

_END = b"PK\x05\x06"
_DIRECTORY_BYTES = 1 << 20
_LARGE = 2 << 20
_NESTED = (".zip", ".xlsx", ".xlsm", ".xlsb", ".docx", ".pptx", ".7z", ".rar", ".gz", ".jar", ".ods")
_HEAD_BYTES = 512
_MARKUP = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


class Refused(Exception):
    """The workbook is not read; the message says why, in words a person can act on."""


def inspect(path: Path, *, entries: int, unpacked_bytes: int, ratio: float) -> int:
    """Check a workbook's directory.

    Args:
        path: The file.
        entries: Greatest number of files inside.
        unpacked_bytes: Greatest sum of unpacked sizes; reading stops at the sizes stated.
        ratio: Greatest unpacked over packed size, from 2 MB unpacked on.

    Returns:
        Unpacked bytes.

    Raises:
        Refused: too large, encrypted, with macros, nested, or not a workbook.
    """
    _check_directory(path, entries)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise Refused(f"the workbook is damaged ({error})") from error
    with archive:
        infos = archive.infolist()
        _check_names(infos, entries)
        total = sum(i.file_size for i in infos)
        packed = max(path.stat().st_size, 1)
        if total > unpacked_bytes or (total > _LARGE and total / packed > ratio):
            raise Refused(
                f"unpacked it would be {total >> 20} MB from {packed / 1024:.0f} kB: no list is like that"
            )
        for info in infos:
            _check_entry(archive, info)
    return total


def _check_directory(path: Path, entries: int) -> None:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 65_557, 0))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise Refused("the workbook is damaged (its directory is missing)")
    count, length = struct.unpack("<HI", tail[at + 10 : at + 16])
    if count > entries or length > _DIRECTORY_BYTES:
        raise Refused(f"the workbook holds {count} files, more than the {entries} allowed")


def _check_names(infos: list[zipfile.ZipInfo], entries: int) -> None:
    names = [i.filename for i in infos]
    if len(names) > entries:
        raise Refused(f"the workbook holds {len(names)} files, more than the {entries} allowed")
    if len(set(names)) != len(names):
        raise Refused("the workbook holds two files of one name")
    if any(n.startswith(("/", "\\")) or ".." in n.split("/") for n in names):
        raise Refused("the workbook holds a file with a path outside it")
    if any(n.lower().endswith("vbaproject.bin") for n in names):
        raise Refused("the workbook holds macros; save it as .xlsx without macros")
    if any(i.flag_bits & 0x1 for i in infos):
        raise Refused("the workbook is encrypted; save it without a password")
    if "[Content_Types].xml" not in names or "xl/workbook.xml" not in names:
        raise Refused("it is a zip archive and not an .xlsx workbook")


def _check_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Look at the first bytes of an entry."""
    name = info.filename.lower()
    if name.endswith(_NESTED):
        raise Refused(f"the workbook holds another archive ({info.filename})")
    try:
        with archive.open(info) as entry:
            head = entry.read(_HEAD_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise Refused(f"the workbook is damaged ({info.filename})") from error
    if head.startswith(b"PK\x03\x04"):
        raise Refused(f"the workbook holds another archive ({info.filename})")
    if name == "[content_types].xml":
        with archive.open(info) as entry:
            if b"macroenabled" in entry.read(_DIRECTORY_BYTES).lower():
                raise Refused("the workbook is made for macros; save it as .xlsx")


def check_markup(archive: zipfile.ZipFile) -> None:
    """Refuse XML that declares entities or is not UTF-8: a workbook never needs either.

    Raises:
        Refused: such an entry exists.
    """
    for info in archive.infolist():
        if not info.filename.lower().endswith((".xml", ".rels", ".vml")):
            continue
        last = b""
        with archive.open(info) as entry:
            first = True
            while block := entry.read(1 << 16):
                if first and (block[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in block[:4]):
                    raise Refused(f"{info.filename} is not UTF-8")
                first = False
                if _MARKUP.search(last + block):
                    raise Refused(f"{info.filename} declares entities")
                last = block[-16:]
