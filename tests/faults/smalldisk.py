"""A small disk of one's own, which can be filled: a tmpfs that only this process and its children see."""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from pathlib import Path

NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
PRIVATE = 0x00040000 | 0x4000  # MS_PRIVATE, recursive
FILLER = "filler"


class SmallDisk:
    """Mounted at a folder for as long as this process lives.

    Args:
        folder: An existing folder.
        size: Bytes.

    Raises:
        OSError: This machine lets nobody but its administrator mount anything.
    """

    def __init__(self, folder: Path, *, size: int) -> None:
        self.folder = folder
        libc = ctypes.CDLL(None, use_errno=True)
        user, group = os.getuid(), os.getgid()
        if libc.unshare(NEW_MOUNTS) != 0:
            _check(libc.unshare(NEW_USER | NEW_MOUNTS))
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        _check(libc.mount(b"none", b"/", None, PRIVATE, None))
        _check(libc.mount(b"none", bytes(folder), b"tmpfs", 0, f"size={size}".encode()))

    def close(self) -> None:
        """Take it away; what still uses it keeps it until then."""
        ctypes.CDLL(None).umount2(bytes(self.folder), 2)

    def free(self) -> int:
        """Bytes left."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, *, leave: int = 0) -> None:
        """Use up what is left, but for some bytes."""
        with (self.folder / FILLER).open("ab", buffering=0) as filler:
            while (left := self.free() - leave) > 0:
                try:
                    filler.write(b"\0" * min(left, 65_536))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def clear(self) -> None:
        """Give the space back."""
        with suppress(FileNotFoundError):
            (self.folder / FILLER).unlink()


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"a small disk needs user namespaces or root: {os.strerror(number)}")
