"""Writes a report whole or not at all: checked before the work begins, replaced in one step at its end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from outlay.errors import InputError


def check_writable(path: str | Path) -> None:
    """Raise :class:`InputError` with the path where a file could not be written there; leave nothing behind.

    Called before a plan is solved, so that nobody waits for a report that cannot be kept.
    """
    target = Path(path)
    if target.is_dir():
        msg = f"cannot write {target}: it is a folder; expected the name of a file"
        raise InputError(msg)
    if not target.parent.is_dir():
        msg = f"cannot write {target}: there is no folder {target.parent}"
        raise InputError(msg)
    if target.exists() and not os.access(target, os.W_OK):
        msg = f"cannot write {target}: the file is write-protected"
        raise InputError(msg)
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        msg = f"cannot write {target}: {error.strerror}"
        raise InputError(msg) from None


def write_atomically(path: str | Path, fill: Callable[[Path], object]) -> None:
    """Let ``fill`` write a temporary file beside ``path``, then put it in place in one step.

    A reader sees the old file or the new one, never half of it; where ``fill`` fails, the old file stays.

    Raises
    ------
    InputError
        If the place cannot be written.
    """
    check_writable(path)
    target = Path(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
    os.close(handle)
    draft = Path(name)
    try:
        fill(draft)
        draft.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        draft.replace(target)
    except OSError as error:
        msg = f"cannot write {target}: {error.strerror or error}"
        raise InputError(msg) from None
    finally:
        draft.unlink(missing_ok=True)


def _umask() -> int:
    """Return the mask of new files; the system tells it only by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
