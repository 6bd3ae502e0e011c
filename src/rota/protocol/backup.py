"""A backup of a server, as those who ask for one see it. Source: protocol.md, "backups"."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from rota.protocol.wire import Answer, Request, Timestamp

BackupName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$(?!\n)")]


class BackupState(StrEnum):
    """How far it is."""

    RUNNING = "running"  # being written
    WHOLE = "whole"  # all is there, durable, and was looked at
    FAILED = "failed"  # it could not be made; nothing is left of it
    PARTIAL = "partial"  # cut off with the server; the next backup deletes what is there


class AskBackup(Request, frozen=True):
    """`name` left out: the time of day."""

    name: BackupName | None = None


class Backup(Answer, frozen=True):
    """One backup. `folder` is on the server's machine; `damaged` counts what was damaged before and is not in it."""

    name: str
    state: BackupState
    folder: str
    done_bytes: int = 0
    size_bytes: int = 0
    made_at: Timestamp | None = None
    blobs: int = 0
    damaged: int = 0
    message: str | None = None


class BackupList(Answer, frozen=True):
    """By name."""

    backups: list[Backup]
