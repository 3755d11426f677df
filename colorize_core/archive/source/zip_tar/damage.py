"""Damaged archives: the many errors of the standard library as one, and what they mean."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from colorize_core.errors import UndecodableError

_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)


class DamageError(Exception):
    """What the modules of the standard library raise in many ways for a damaged archive."""


@contextmanager
def damage() -> Iterator[None]:
    """Turn every complaint about content into DamageError; let failures of the disk through."""
    try:
        yield
    except _DAMAGE as error:
        raise DamageError(str(error)) from error
    except OSError as error:
        # gzip and bz2 complain by an OSError without a number.
        if error.errno is None and type(error) in (OSError, gzip.BadGzipFile):
            raise DamageError(str(error)) from error
        raise


def damaged(name: str, error: Exception) -> UndecodableError:
    """The error of a member that cannot be read to its end."""
    return UndecodableError(
        f"{name}: damaged inside the archive: {error}", remedy="copy the archive again"
    )


def damaged_after(name: str, error: Exception) -> UndecodableError:
    """The error for an archive that ends or breaks in the middle."""
    return UndecodableError(
        f"the archive is damaged or cut off after {name}: {error}",
        remedy="what comes before is used; copy the archive again for the rest",
    )
