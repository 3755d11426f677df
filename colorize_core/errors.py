"""One tree of errors, each with a remedy for the user and the exit code that `jobs/` returns."""

from __future__ import annotations

import errno

# The disk, or the user's share of it, is full.
FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
TRANSIENT_ERRNOS = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN})

EXIT_DONE = 0
EXIT_CANNOT_RUN = 1
EXIT_SOME_FAILED = 2
EXIT_RESUME = 75


class ColorizeError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        message: one line that names the value at fault.
        remedy: one line that says what the user can do about it.
    """

    exit_code = EXIT_CANNOT_RUN
    kind = "error"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Default pickling of exceptions drops keyword-only arguments, and these cross processes.
        return (_rebuild, (type(self), self.message, self.remedy))


def _rebuild(cls: type[ColorizeError], message: str, remedy: str) -> ColorizeError:
    return cls(message, remedy=remedy)


class UsageError(ColorizeError):
    """The command line or an argument cannot be used."""

    kind = "usage"


class ConfigError(ColorizeError):
    """A configuration file has an unknown key, a wrong type or a value out of range."""

    kind = "config"


class ModelError(ColorizeError):
    """Weights are missing, damaged, or do not fit the architecture they name."""

    kind = "model"


class OutputLockedError(ColorizeError):
    """Another live driver writes to the same OUT."""

    kind = "locked"


class ManifestError(ColorizeError):
    """The manifest is damaged before its last line, or was written by an incompatible version."""

    kind = "manifest"


class ResumableError(ColorizeError):
    """The run stopped early for a reason outside the inputs; the same command resumes it."""

    exit_code = EXIT_RESUME
    kind = "resumable"


class LockLostError(ResumableError):
    """Another driver took OUT over, because this one seemed to be dead."""

    kind = "lock-lost"


class FencedError(ResumableError):
    """A worker that its run no longer counts on wanted to publish."""

    kind = "fenced"


class OutOfSpaceError(ResumableError):
    """The disk of OUT or of the temporary folder is full."""

    kind = "no-space"


class StorageError(ResumableError):
    """The object storage of OUT does not answer, or refuses."""

    kind = "storage"


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of ours or of the system says that there is no space left."""
    return isinstance(error, OutOfSpaceError) or getattr(error, "errno", None) in FULL_ERRNOS


def is_transient(error: BaseException) -> bool:
    """Whether the same may work a little later: a storage or a server that did not answer."""
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    if isinstance(error, OSError) and error.errno in TRANSIENT_ERRNOS:
        return True
    # HTTP clients carry the server's answer in `status` (aiohttp).
    status = getattr(error, "status", None)
    return isinstance(status, int) and 500 <= status < 600


class ServerError(OSError):
    """A server that did not give a file now; trying again may help. Its text is for people."""

    def __str__(self) -> str:
        return str(self.strerror)


def in_words(error: BaseException) -> str:
    """An error's text, with its class where the text is not made for people."""
    is_plain = isinstance(error, ColorizeError | ServerError)
    return str(error) if is_plain else f"{type(error).__name__}: {error}"


class InputError(ColorizeError):
    """One input cannot be used. It is recorded with its reason and the job goes on."""

    exit_code = EXIT_SOME_FAILED
    kind = "input"


class UndecodableError(InputError):
    """The bytes are not a picture or film that can be decoded."""

    kind = "undecodable"


class UnsupportedError(InputError):
    """The format is known, but not this variant of it."""

    kind = "unsupported"


class NoScanError(UnsupportedError):
    """A document whose pages are drawn: no picture to color. It is skipped, not failed."""

    kind = "no-scan"


class TooLargeError(InputError):
    """The input exceeds the pixel or frame limit."""

    kind = "too-large"


class ChangedError(InputError):
    """The input changed while the run was working on it."""

    kind = "changed"


class MissingError(InputError):
    """The input was listed but is not there any more."""

    kind = "missing"


class UnreachableError(InputError):
    """The storage or the server did not give the input, however often it was asked."""

    kind = "transient"


class UnsafePathError(InputError):
    """A name would place a file outside OUT."""

    kind = "unsafe-path"


class CrashError(InputError):
    """The input killed the worker process again and again on its own."""

    kind = "crash"


class OutOfMemoryError(InputError):
    """The input does not fit into memory, even alone and on the CPU."""

    kind = "out-of-memory"


class VerifyError(InputError):
    """A finished output differs from what was recorded or from what it must equal."""

    kind = "verify"
