"""Paths below OUT that a record names. Its CRC is no signature: anybody can have written it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.errors import UnsafePathError, UsageError


def output_in(out: Path, name: object) -> Path:
    """The file, or the folder of frames, that a record names; it need not be there.

    Args:
        out: output folder of the run.
        name: what the record gives as its `output`.

    Raises:
        UnsafePathError: not a relative path, not below `out` (also through links), or not a regular
            file or folder.
        OSError: it cannot be looked at.
    """
    path = out / _relative(name)
    if not _is_below(os.path.realpath(path), os.path.realpath(out)):
        raise _refusal(name, "leads out of OUT through a link")
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return path
    except OSError as error:  # a name too long, a link to itself
        raise _refusal(name, error.strerror or str(error)) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _refusal(name, "is no regular file")
    return path


class OutputLook:
    """Looks at the outputs of many records, for planning: each folder is followed once.

    A link that somebody puts in a folder's place meanwhile is not seen; whoever reads or writes a
    file asks `output_in`.

    Args:
        out: output folder of the run.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._real_out = os.path.realpath(out)
        self._is_inside: dict[str, bool] = {}

    def stat(self, name: object) -> os.stat_result | None:
        """Of the file or folder that a record names; None where there is none.

        Raises:
            UnsafePathError: as `output_in`.
        """
        relative = _relative(name)
        folder = relative.rpartition("/")[0]
        if folder not in self._is_inside:
            real = os.path.realpath(self._out / folder)
            self._is_inside[folder] = real == self._real_out or _is_below(real, self._real_out)
        if not self._is_inside[folder]:
            raise _refusal(name, "leads out of OUT through a link")
        try:
            found = os.lstat(f"{self._out}/{relative}")
            if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
                return found
            return output_in(self._out, relative).stat()  # a link
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _refusal(name, error.strerror or str(error)) from error


def require_own_folders(out: Path) -> None:
    """Refuse an OUT whose folders for records and page are somebody else's.

    Raises:
        UsageError: one of them is a link, or no folder.
    """
    folder = RunFolder(out)
    for path in (folder.state, folder.staging, folder.page, folder.compare, folder.thumbs):
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            what = "a link" if path.is_symlink() else "no folder"
            raise UsageError(
                f"{path} is {what}: what is kept there would be written elsewhere",
                remedy="remove it, or choose another OUT",
            )


def _relative(name: object) -> str:
    if not isinstance(name, str) or not name or "\0" in name:
        raise _refusal(name, "is no file name")
    if name.startswith("/") or (".." in name and ".." in name.split("/")):
        raise _refusal(name, "leads out of OUT")
    return name


def _is_below(real_path: str, real_out: str) -> bool:
    return real_path.startswith(real_out.rstrip("/") + "/")


def _refusal(name: object, reason: str) -> UnsafePathError:
    return UnsafePathError(
        f"the record of an output {str(name)[:200]!r} {reason}",
        remedy="this OUT was changed by others: colorize into another one",
    )
