"""What is out of the ordinary on a server, as data. Source: protocol.md, "doctor"."""

from enum import StrEnum

from rota.protocol.wire import Answer, Timestamp


class Level(StrEnum):
    """How much it matters."""

    FAULT = "fault"  # something does not work, or will not: mend it
    NOTE = "note"  # worth knowing; nothing is broken


class Finding(Answer, frozen=True):
    """One kind of thing that was found, `count` times, with some `examples` of it.

    `code` is for programs and does not change; `message` says what is, `advice` what to do. `fixable`: `fix` mends it;
    `fixed`: how many it has mended.
    """

    code: str
    level: Level
    message: str
    advice: str
    count: int = 1
    examples: list[str] = []
    fixable: bool = False
    fixed: int = 0

    @property
    def is_left(self) -> bool:
        """Whether some of it is still there."""
        return self.fixed < self.count


class Findings(Answer, frozen=True):
    """All of them, the faults first; `looked_at` names what was looked at, `at` is the server's wall clock then."""

    at: Timestamp
    looked_at: list[str]
    findings: list[Finding]


class BlobsRead(Answer, frozen=True):
    """Stored bytes, read from the disk and compared with their digests: some of them, and where to go on."""

    blobs: int
    size_bytes: int
    findings: list[Finding]
    next_cursor: str | None = None
