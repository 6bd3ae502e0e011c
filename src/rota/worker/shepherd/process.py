"""Making a job's process. Source: architecture.md, "A worker starts processes with … os.posix_spawn"."""

import contextlib
import errno
import os
import resource
import signal
import stat
from collections.abc import Mapping
from pathlib import Path

from rota.worker.shepherd.messages import OF_THE_MACHINE

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""Exit codes that a shell gives where it cannot start a program (POSIX, "Exit Status for Commands")."""

_NOT_EXECUTABLE = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOEXEC: "not a program that this machine can execute",
    errno.ETXTBSY: "still being written",
    errno.ELOOP: "too many symbolic links",
    errno.ENAMETOOLONG: "the name is too long",
    errno.E2BIG: "arguments and environment are too long",
}
_DEFAULT_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


_FILES_OF_JOBS = resource.getrlimit(resource.RLIMIT_NOFILE)


class NotStarted(Exception):
    """No process was made; `exit_code` is the shell's for such a case, or None where the machine is at fault."""

    def __init__(self, message: str, exit_code: int | None = None, *, is_of_machine: bool = False) -> None:
        super().__init__(message)
        self.is_of_machine = is_of_machine
        self.exit_code = exit_code


def start(argv: list[bytes], environment: Mapping[bytes, bytes], folder: str, output: int) -> int:
    """The id of a new process in a new session, with `folder` as its own, writing to `output`. Raises NotStarted.

    The caller has one thread only: its working folder is the child's for a moment, as posix_spawn has no other way.
    """
    home = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            os.chdir(folder)
        except OSError as error:
            raise NotStarted(
                f"the job's folder cannot be entered: {error.strerror}", is_of_machine=is_of_machine(error)
            ) from error
        return _spawn(argv, environment, output)
    finally:
        os.fchdir(home)
        os.close(home)


def is_of_machine(error: OSError) -> bool:
    """Whether the same job may well start elsewhere, or later."""
    return error.errno in OF_THE_MACHINE


def _spawn(argv: list[bytes], environment: Mapping[bytes, bytes], output: int) -> int:
    program = _find(argv[0], environment.get(b"PATH", os.defpath.encode()))
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    try:
        pid = os.posix_spawn(
            program, argv, environment, file_actions=streams, setsid=True, setsigmask=[], setsigdef=_DEFAULT_SIGNALS
        )
    except OSError as error:
        raise NotStarted(*_why(argv[0], error), is_of_machine=is_of_machine(error)) from error
    with contextlib.suppress(ProcessLookupError, PermissionError):  # over already, or a program of another user
        resource.prlimit(pid, resource.RLIMIT_NOFILE, _FILES_OF_JOBS)  # just after its start: no way to do it before
    return pid


def raise_file_limit() -> None:
    """As many open files as may be for the shepherd itself: three a job. Jobs get back what the worker had."""
    hard = _FILES_OF_JOBS[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _find(name: bytes, path: bytes) -> bytes:
    """The program as execvp(3) would find it, in the job's own PATH and not in the shepherd's."""
    if b"/" in name:
        return name
    candidates = [(folder or b".") + b"/" + name for folder in path.split(b":")]
    files = [candidate for candidate in candidates if _is_file(candidate)]
    for candidate in files:
        if os.access(candidate, os.X_OK):
            return candidate
    shown = name.decode(errors="replace")
    if files:
        raise NotStarted(f"{shown}: permission denied", NOT_EXECUTABLE)
    raise NotStarted(f"{shown}: command not found", NOT_FOUND)


def _is_file(path: bytes) -> bool:
    """Not so where it cannot be seen: a folder that is closed to us, a name that is too long, or with a NUL."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116  (bytes)
    except (OSError, ValueError):
        return False


def _why(name: bytes, error: OSError) -> tuple[str, int | None]:
    shown = name.decode(errors="replace")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        is_there = b"/" not in name or os.path.lexists(name)
        return f"{shown}: {'its interpreter was not found' if is_there else 'command not found'}", NOT_FOUND
    if error.errno in _NOT_EXECUTABLE:
        is_folder = error.errno == errno.EACCES and Path(os.fsdecode(name)).is_dir()
        return f"{shown}: {'is a folder' if is_folder else _NOT_EXECUTABLE[error.errno]}", NOT_EXECUTABLE
    return f"{shown}: {error.strerror}", None
