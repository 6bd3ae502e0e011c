"""Opening files that a job made, without ever leaving its folder and without hanging. Source: threats.md, T7.

Every step of a path is opened relative to the folder before it and never through a link that the kernel follows by
itself; links are read and followed here, as long as they stay inside.
"""

import errno
import os
import stat
from pathlib import Path

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LINKS_MAX = 40
"""As the kernel's own limit (path_resolution(7))."""


class Refused(Exception):
    """This path is not collected; the text says why."""


def open_file(folder: int, root: Path, path: str) -> int:
    """A regular file at or, through links, behind `path` in the open `folder`, whose name is `root`. Raises Refused."""
    opened = [os.dup(folder)]
    try:
        return _walk(opened, root, path)
    except OSError as error:
        raise Refused((error.strerror or str(error)).lower()) from error
    finally:
        for one in opened:
            os.close(one)


def _walk(opened: list[int], root: Path, path: str) -> int:
    """Step by step down from `opened[0]`; `opened` holds the folders on the way. Raises Refused, OSError."""
    steps = path.split("/")[::-1]
    links = 0
    while steps:
        step = steps.pop()
        if step == ".." and len(opened) == 1:
            raise Refused("leads out of the job's folder")
        if step == "..":
            os.close(opened.pop())
        if step in {"", ".", ".."}:
            continue
        kind = os.lstat(step, dir_fd=opened[-1]).st_mode
        if stat.S_ISDIR(kind):
            opened.append(os.open(step, _FOLDER, dir_fd=opened[-1]))
            continue
        if not stat.S_ISLNK(kind):
            return _open_last(step, opened[-1], is_last=not any(steps))
        links += 1
        target = os.readlink(step, dir_fd=opened[-1])
        if links > LINKS_MAX:
            raise Refused(os.strerror(errno.ELOOP).lower())
        if target.startswith("/"):
            target = _inside(target, root)
            while len(opened) > 1:
                os.close(opened.pop())
        steps += target.split("/")[::-1]
    raise Refused("is a folder; a glob such as `folder/**` collects what is in it")


def _open_last(name: str, folder: int, *, is_last: bool) -> int:
    """The file itself: not a link in its place since it was looked at, and a FIFO would not hold us."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=folder)
    kind = os.fstat(file).st_mode
    if stat.S_ISREG(kind) and is_last:
        return file
    os.close(file)
    raise Refused(f"is {_called(kind)}, not a regular file" if is_last else "leads through a file")


def _inside(target: str, root: Path) -> str:
    """An absolute link's target, relative to the folder. Raises Refused."""
    for name in (root, root.resolve()):
        if target == str(name) or target.startswith(f"{name}/"):
            return target[len(str(name)) + 1 :]
    raise Refused("is a symbolic link that leads out of the job's folder")


def _called(kind: int) -> str:
    names = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return names.get(stat.S_IFMT(kind), "a device")
