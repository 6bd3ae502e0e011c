"""Paths inside a job's folder: relative, `/`-separated, nothing that leads out. Source: protocol.md, "resumable"."""

import re

from rota.protocol.problems import InvalidRequest

PATH_SIZE_BYTES_MAX = 4096
NAME_SIZE_BYTES_MAX = 255
"""Of one part of a path: what Linux file systems take."""

_DRIVE = re.compile(r"^[A-Za-z]:")


def check_path(path: str, field: str) -> str:
    """The same path. Raises InvalidRequest naming `field` where it could lead out of the folder."""
    parts = path.split("/")
    if not path:
        wrong = "is empty"
    elif "\0" in path:
        wrong = "contains NUL"
    elif _DRIVE.match(path):
        wrong = f"begins with `{path[:2]}`, which some systems take for a drive; a colon there cannot be"
    elif path.startswith("/") or "\\" in path:
        wrong = "must be relative and `/`-separated, without a backslash"
    elif any(part in {"", ".", ".."} for part in parts):
        wrong = "must not contain empty parts, `.` or `..`"
    elif any("\ud800" <= letter <= "\udfff" for letter in path):
        wrong = "is no valid text"
    elif len(path.encode()) > PATH_SIZE_BYTES_MAX or any(len(part.encode()) > NAME_SIZE_BYTES_MAX for part in parts):
        wrong = "is too long"
    else:
        return path
    raise InvalidRequest.of(field, f"{wrong}; a path is relative to the job's folder, such as `out/report.txt`")
