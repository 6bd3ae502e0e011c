"""What a job brings back: globs over its folder, each file with size, digest and mode.

A glob matches files, `**` crosses folders, a leading dot is nothing special. What cannot be collected is told as a
problem of the attempt; it never changes the job's exit code.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wcmatch import glob

from rota.protocol.job_finished import ArtifactReport, Uncollected
from rota.protocol.paths import check_path
from rota.protocol.problems import InvalidRequest
from rota.protocol.wire import INLINE_SIZE_BYTES_MAX, Base64, to_base64
from rota.worker.beneath import Refused, open_file

PIECE_SIZE_BYTES = 1024 * 1024
INLINE_TOTAL_BYTES_MAX = 512 * 1024
"""How much of one attempt's artifacts travels inside jobFinished, so that a message stays small."""
DEPTH_MAX = 100
"""Folders that lie deeper are not looked into."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FLAGS = glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX


@dataclass
class Collected:
    """Artifacts by path, and what could not be collected."""

    artifacts: list[ArtifactReport] = field(default_factory=list)
    problems: list[Uncollected] = field(default_factory=list)
    inline_bytes: int = 0

    def refuse(self, path: str, message: str) -> None:
        """One that is not collected."""
        shown = path.encode("utf-8", "replace").decode()[:1000]
        self.problems.append(Uncollected("artifact", message, shown))


def collect(root: Path, patterns: list[str], size_bytes_max: int, count_max: int) -> Collected:
    """All files in the folder `root` that any of `patterns` matches. Blocks; memory does not grow with the files."""
    collected = Collected()
    try:
        folder = os.open(root, _FOLDER)
    except OSError as error:
        collected.refuse("", f"the job's folder cannot be read: {error.strerror}")
        return collected
    try:
        for path in _matches(folder, patterns, collected):
            if len(collected.artifacts) >= count_max:
                collected.refuse(
                    path, f"more than {count_max} artifacts, the worker's limit; this and later ones are left out"
                )
                break
            _collect_one(folder, root, path, size_bytes_max, collected)
    finally:
        os.close(folder)
    return collected


def _matches(folder: int, patterns: list[str], collected: Collected) -> Iterator[str]:
    """Paths, each once. A pattern that matches nothing is told."""
    seen: set[str] = set()
    globs = [pattern for pattern in patterns if glob.is_magic(pattern, flags=_FLAGS)]
    for pattern in patterns:
        if pattern not in globs and pattern.removeprefix("./") not in seen:
            seen.add(pattern.removeprefix("./"))
            yield pattern.removeprefix("./")
    compiled = {pattern: glob.compile(pattern.removeprefix("./"), flags=_FLAGS) for pattern in globs}
    unmatched = set(globs)
    for path in _files(folder, collected) if globs else ():
        hits = [pattern for pattern, matcher in compiled.items() if matcher.match(path)]
        unmatched.difference_update(hits)
        if hits and path not in seen:
            seen.add(path)
            yield path
    for pattern in globs:
        if pattern in unmatched:
            collected.refuse(pattern, "no file matches")


def _files(folder: int, collected: Collected, within: str = "", depth: int = 0) -> Iterator[str]:
    """Everything below that is no folder, sorted; links are named, never entered."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError as error:
        collected.refuse(within, f"this folder cannot be read: {error.strerror}")
        return
    yield from (f"{within}{name}" for name, is_folder in found if not is_folder)
    for name in (name for name, is_folder in found if is_folder):
        if depth >= DEPTH_MAX:
            collected.refuse(f"{within}{name}", f"this folder lies more than {DEPTH_MAX} deep, the worker's limit")
            continue
        try:
            inner = os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            collected.refuse(f"{within}{name}", f"this folder cannot be entered: {error.strerror}")
            continue
        try:
            yield from _files(inner, collected, f"{within}{name}/", depth + 1)
        finally:
            os.close(inner)


def _collect_one(folder: int, root: Path, path: str, size_bytes_max: int, collected: Collected) -> None:
    try:
        check_path(path, "path")
        file = open_file(folder, root, path)
    except (InvalidRequest, UnicodeEncodeError):
        collected.refuse(path, "this name cannot be sent: it is too long, holds a backslash, or is not UTF-8")
        return
    except Refused as refused:
        collected.refuse(path, str(refused))
        return
    try:
        found = os.fstat(file)
        if found.st_size > size_bytes_max:
            collected.refuse(path, f"is larger than {size_bytes_max} bytes, the worker's limit")
            return
        is_inline = found.st_size <= min(INLINE_SIZE_BYTES_MAX, INLINE_TOTAL_BYTES_MAX - collected.inline_bytes)
        report = _report(file, path, stat.S_IMODE(found.st_mode), is_inline=is_inline)
        collected.inline_bytes += report.size_bytes if is_inline else 0
        collected.artifacts.append(report)
    except OSError as error:
        collected.refuse(path, f"cannot be read: {error.strerror}")
    finally:
        os.close(file)


def _report(file: int, path: str, mode: int, *, is_inline: bool) -> ArtifactReport:
    if is_inline:
        content = os.read(file, INLINE_SIZE_BYTES_MAX)
        return ArtifactReport(path, len(content), hashlib.sha256(content).hexdigest(), mode, Base64(to_base64(content)))
    digest = hashlib.sha256()
    size_bytes = 0
    while piece := os.read(file, PIECE_SIZE_BYTES):
        digest.update(piece)
        size_bytes += len(piece)
    return ArtifactReport(path, size_bytes, digest.hexdigest(), mode)
