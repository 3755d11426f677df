"""An OUT in object storage, as the user types it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from colorize_core.archive.source.remote import refuse_key
from colorize_core.errors import UsageError

# The package that fsspec needs for each, and the extra of ours that brings it.
PACKAGES: Final = {
    "s3": "'colorize-archive[s3]'",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
}
_PARTS: Final = re.compile(r"([A-Za-z0-9]+)://(.*)", re.DOTALL)
_MAGIC: Final = re.compile(r"[*?\[\]\x00-\x1f]")


@dataclass(frozen=True)
class Address:
    """A place in object storage: `path` is the bucket and what its objects' names begin with."""

    scheme: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """An address as typed.

        Raises:
            UsageError: no bucket, a key in it, or a part that is no name.
        """
        match = _PARTS.fullmatch(text)
        scheme, path = (match[1].lower(), match[2].strip("/")) if match else ("", "")
        bucket, *parts = path.split("/")
        refuse_key(text)
        if not bucket or _MAGIC.search(path) or {"", ".", ".."} & set(parts):
            raise UsageError(f"{text}: no address in object storage", remedy="s3://BUCKET/FOLDER")
        return cls(scheme, path)

    def inside(self, source: str) -> str | None:
        """Where this lies below a source, relative to it; "" where it is the source itself."""
        match = _PARTS.fullmatch(source)
        if match is None or match[1].lower() != self.scheme:
            return None
        root = _fixed(match[2])
        if self.path == root:
            return ""
        return self.path[len(root) + 1 :] if self.path.startswith(f"{root}/") else None

    def contains(self, source: str) -> bool:
        """Whether a source lies below this."""
        match = _PARTS.fullmatch(source)
        return match is not None and (
            match[1].lower() == self.scheme and _fixed(match[2]).startswith(f"{self.path}/")
        )


def _fixed(path: str) -> str:
    """The folder that a path with `*` begins with; any other as it is."""
    fixed, star, _ = path.partition("*")
    return (fixed.rpartition("/")[0] if star else fixed).rstrip("/")


def is_address(text: str) -> bool:
    """Whether it is one of a storage that can be written to."""
    match = _PARTS.fullmatch(text)
    return match is not None and match[1].lower() in PACKAGES
