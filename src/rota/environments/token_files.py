"""Tokens in files of the data folder: the administrator's, and the one Rota's services know each other by."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from rota.protocol.problems import Unavailable

ADMIN_TOKEN = "admin-token"  # noqa: S105  (a file's name)
SERVICE_TOKEN = "service-token"  # noqa: S105  (a file's name)


async def kept_token(file: Path, make: Callable[[], Awaitable[str]]) -> str:
    """The token in `file`; made and written there (mode 0600, one line) where there is none."""
    try:
        return await asyncio.to_thread(_read, file)
    except FileNotFoundError:
        token = await make()
    await asyncio.to_thread(_write, file, token)
    return token


def _read(file: Path) -> str:
    return file.read_text(encoding="ascii").strip()


def _write(file: Path, token: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(token + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    fresh.rename(file)


def read_token(file: Path, given: str | None) -> str:
    """The token that was given, else the one in `file`. Raises Unavailable while there is none."""
    if given is not None:
        return given
    try:
        return _read(file)
    except FileNotFoundError:
        raise Unavailable(
            f"There is no service token yet: set ROTA_SERVICE_TOKEN, or copy {SERVICE_TOKEN} of the Job service's "
            f"data folder to {file}."
        ) from None
