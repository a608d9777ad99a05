"""A value that follows a file."""

from __future__ import annotations

import os

from serving.followed import Followed


def test_it_is_read_once_for_each_change_and_empty_without_the_file(tmp_path):
    path, reads = tmp_path / "f", []

    def read():
        reads.append(path.read_text())
        return reads[-1]

    value = Followed[str](path, read, empty="none")
    assert (value(), reads) == ("none", [])
    path.write_text("one")
    assert [value(), value()] == ["one", "one"]
    path.write_text("two!")
    assert value() == "two!"
    os.utime(path, (1, 1))
    assert [value(), value()] == ["two!", "two!"]
    assert reads == ["one", "two!", "two!"]
    path.unlink()
    assert value() == "none"
