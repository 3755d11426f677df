"""Compressed tars as streams that are read once, from the beginning to the end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

from colorize_core.archive.source.kinds import HEAD_BYTES
from colorize_core.archive.source.remote import CHUNK_BYTES

_MOST_READS_AT_END: Final = 100


@contextmanager
def decompressed(packed: BinaryIO) -> Iterator[BinaryIO]:
    """Choose by content: what is called .tgz may have been unpacked on its way here."""
    with io.BufferedReader(cast(io.RawIOBase, packed), CHUNK_BYTES) as source:
        head = source.peek(6)
        plain: object = source
        if head.startswith(b"\x1f\x8b"):
            plain = gzip.GzipFile(fileobj=source)
        elif head.startswith(b"BZh"):
            plain = bz2.BZ2File(source)
        elif head.startswith(b"\xfd7zXZ"):
            plain = lzma.LZMAFile(source)  # noqa: SIM115
        yield cast(BinaryIO, _Ending(cast(BinaryIO, plain)))


class _Ending:
    """A stream whose end is an error to those who do not see it.

    To pass over a member, tarfile reads as many blocks as the header promises: of 400 TB that are
    not there, it would read for days.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads_at_end = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes; EOFError when the end was read again and again."""
        data = self._file.read(size)
        self._reads_at_end = 0 if data else self._reads_at_end + 1
        if self._reads_at_end > _MOST_READS_AT_END:
            raise EOFError("it ends before the data that its headers promise")
        return data


class Packed:
    """A member of a tar that can be read once, yet be looked at before."""

    def __init__(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        self._file = cast(BinaryIO, tar.extractfile(info))
        self._head: bytes | None = None

    def head(self) -> bytes:
        """The first HEAD_BYTES."""
        if self._head is None:
            self._head = self._file.read(HEAD_BYTES)
        return self._head

    def chunks(self) -> Iterator[bytes]:
        """The whole content, once."""
        yield self.head()
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk
