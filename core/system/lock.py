"""One process at a time writes an output: a lock file beside it that the kernel releases when its holder dies.

The lock is flock(2) on `.<name>.lock`, which also says who holds it. Linux carries flock to NFS servers as a lock on
bytes, so that it holds between machines too, unless the share is mounted with `nolock` or `local_lock`; then only processes
of one machine see each other. Where there is no flock at all (Windows, some network shares) the file itself is the lock,
and one that a dead process left must be deleted by hand.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_FLOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def file_lock(out: Path) -> Iterator[list[str]]:
    """`with file_lock(out) as notes:` this process alone writes `out`; notes tell of a lock that a dead process left.

    Raises ValueError that names process and machine where another one holds it, or where no file can be made beside `out`.
    """
    path = out.absolute().parent / f".{out.name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, left_by = _take(path, out)
    except OSError as error:
        raise ValueError(
            f"cannot write {str(out)!r}: {error.strerror} ({str(path.parent)!r}); make room or name another --out"
        ) from None
    try:
        yield [f"a lock left by {left_by}, which is gone, was taken over"] if left_by else []
    finally:
        path.unlink(missing_ok=True)  # before it is released, so that nobody locks a file without a name
        os.close(handle)


def _take(path: Path, out: Path) -> tuple[int, str]:
    """The locked file, with our name in it, and who left it there ("" if nobody)."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _locked(handle, path):
                raise ValueError(
                    f"{_holder(path) or 'another process'} is writing {str(out)!r}; wait until it is done, stop it, or name another --out"
                )
            if not path.exists() or not os.path.samestat(os.fstat(handle), path.stat()):  # its holder has just gone
                os.close(handle)
                continue
            left_by = _holder(path)
            try:
                os.ftruncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            except OSError:  # no room for even that
                path.unlink()
                raise
            return handle, left_by
        except BaseException:
            os.close(handle)
            raise


def _locked(handle: int, path: Path) -> bool:
    """Whether the lock is ours now."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_FLOCK:
            raise
        if _holder(path):
            raise ValueError(
                f"{str(path)!r} says that {_holder(path)} is writing here, and this file system cannot tell whether it lives; "
                "delete that file if it does not"
            ) from None
    return True


def _holder(path: Path) -> str:
    with path.open(errors="replace") as f:
        return f.read(200).strip()
