"""Where `rota worker` takes its enrolment token from, without showing it in the list of processes."""

import sys
from pathlib import Path

from rota.cli.exit_codes import Code
from rota.cli.failure import Failure

STDIN = "-"
LINE_MAX = 16 * 1024
"""Longest first line of a token's file; a token is far shorter."""


def enrolment_token(token: str | None, file: str | None) -> str | None:
    """The token itself, or the first line of a file (`-`: of stdin). Raises Failure where that is no token."""
    if file is not None:
        token = first_line(file)
    if token is None or not token.strip():
        return None
    token = token.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Failure("The enrolment token is none: it is one line of ASCII.", "Copy it once more, whole.", Code.USAGE)
    return token


def first_line(file: str) -> str:
    """The line; it is not empty."""
    advice = "`rota env token` prints a token; its first line is read."
    try:
        if file == STDIN:
            if sys.stdin is None:
                raise Failure("--token-file: there is no stdin to read; it is closed.", advice, Code.USAGE)
            line = sys.stdin.readline(LINE_MAX)
        else:
            with Path(file).open(encoding="utf-8") as opened:
                line = opened.readline(LINE_MAX)
    except UnicodeDecodeError:
        raise Failure(f"--token-file: {file} is no text in UTF-8.", advice, Code.USAGE) from None
    except OSError as error:
        raise Failure(f"--token-file: {file}: {error.strerror}.", advice, Code.USAGE) from None
    if not line.strip():
        raise Failure(f"--token-file: the first line of {file} is empty.", advice, Code.USAGE)
    return line
