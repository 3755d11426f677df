"""What OUT's file system does with names, found by trying and not by guessing what it is.

NTFS, exFAT and many SMB shares refuse `:` and `?`, drop a trailing dot or space, know `aux` as a
device, and take `A.jpg` for `a.jpg`; how much of that is true depends on driver and options.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import unicodedata
import uuid
from pathlib import Path
from typing import Final

from colorize_core.atomic import TEMP_PREFIX
from colorize_core.errors import is_disk_full

# All file systems take these; names of nothing else need no trying.
_PLAIN: Final = re.compile(r"[A-Za-z0-9 _,()+&'.\-/]*")
_ODD_END: Final = re.compile(r"[. ](?:/|$)")
_DEVICE: Final = re.compile(r"(?i)(?:^|/)(?:con|prn|aux|nul|com\d|lpt\d) *(?:[./]|$)")
_LONG_BYTES: Final = 140  # eCryptfs takes 143
_LONG: Final = re.compile(rf"[^/]{{{_LONG_BYTES // 4},}}")


class OutNames:
    """Tries names in a folder of its own inside OUT, each kind of oddness once.

    Args:
        out: OUT. If it is not there or may not be written, nothing is tried: all names are good.

    Attributes:
        folds_case: `A.jpg` is `a.jpg` there.
        folds_forms: so are composed and decomposed accents.

    Raises:
        OSError: on entering, when the disk is full or fails.
    """

    def __init__(self, out: Path | None) -> None:
        self._out = out if out is not None and out.is_dir() else None
        self._folder: Path | None = None
        self._refusals: dict[str, str] = {}
        self.folds_case = False
        self.folds_forms = False

    def __enter__(self) -> OutNames:
        if self._out is not None:
            folder = self._out / f"{TEMP_PREFIX}names-{uuid.uuid4().hex[:8]}"
            try:
                folder.mkdir()
            except PermissionError:
                return self  # whoever only looks, as --dry-run does, needs no names
            except OSError as error:
                if error.errno != errno.EROFS:
                    raise
                return self
            self._folder = folder
            self.folds_case = self._are_one("case", "CASE")
            forms = [unicodedata.normalize(form, "\u00e9") for form in ("NFC", "NFD")]
            self.folds_forms = not self._refusal(forms[0]) and self._are_one(*forms)
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def key(self, output: str) -> str:
        """The same for two paths that are one file there."""
        if self.folds_case:
            return unicodedata.normalize("NFC", output).casefold()
        return unicodedata.normalize("NFC", output) if self.folds_forms else output

    def refusal(self, output: str) -> str:
        """Why no file can be written under this relative path; empty if one can."""
        if self._folder is None or not _is_odd(output):
            return ""
        return next(filter(None, map(self._refusal_of_name, output.split("/"))), "")

    def _refusal_of_name(self, name: str) -> str:
        for mark in {mark for mark in name if not _PLAIN.fullmatch(mark)}:
            if reason := self._refusal(f"a{mark}b"):
                return f"{mark!r} in a name: {reason}"
        if name.endswith((".", " ")) and (reason := self._refusal(f"a{name[-1]}")):
            return f"{name[-1]!r} at the end of a name: {reason}"
        if _DEVICE.search(name) and (reason := self._refusal(name)):
            return f"the name {name!r}: {reason}"
        length = len(os.fsencode(name))
        if length > _LONG_BYTES and (reason := self._refusal("a" * length)):
            return f"a name of {length} bytes: {reason}"
        return ""

    def _refusal(self, name: str) -> str:
        if name not in self._refusals:
            self._refusals[name] = self._tried(name)
        return self._refusals[name]

    def _tried(self, name: str) -> str:
        folder = Path(str(self._folder))
        path = f"{folder}/{name}"  # pathlib would clean the name
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            found = {unicodedata.normalize("NFC", entry) for entry in os.listdir(folder)}  # noqa: PTH208
            os.unlink(path)  # noqa: PTH108
        except OSError as error:
            if is_disk_full(error):
                raise
            return error.strerror or str(error)
        except ValueError as error:
            return str(error)
        is_there = unicodedata.normalize("NFC", name) in found
        return "" if is_there else "it is stored under another name"

    def _are_one(self, first: str, second: str) -> bool:
        folder = Path(str(self._folder))
        (folder / first).touch()
        try:
            return (folder / second).exists()
        finally:
            (folder / first).unlink()


def _is_odd(output: str) -> bool:
    return (
        not _PLAIN.fullmatch(output)
        or _ODD_END.search(output) is not None
        or _DEVICE.search(output) is not None
        or _LONG.search(output) is not None
    )
