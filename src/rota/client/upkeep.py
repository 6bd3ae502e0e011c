"""Looking after a server: what is out of the ordinary, and backups. Source: protocol.md, "Looking after a server"."""

from urllib.parse import quote

from rota.client.transport import Call, Transport
from rota.protocol.backup import AskBackup, Backup, BackupList
from rota.protocol.doctor import BlobsRead, Findings
from rota.protocol.overview import Overview

DOCTOR = "/api/v1/doctor"
BACKUPS = "/api/v1/backups"
LONG_S = 3600.0
"""How long the reading of a large database or blob may take before its answer begins."""
HELD_S = 1.0


class UpkeepCalls:
    """How it goes, for everybody; the doctor and backups, for an administrator of the whole server."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def overview(self, window_s: int = 3600) -> Overview:
        """What ended, waited and failed in the last 3600, 86400 or 604800 seconds, of all that the caller may see."""
        call = Call(method="GET", path="/api/v1/overview", params={"window_s": window_s})
        return await self.transport.ask(call, Overview)

    async def look(self) -> Findings:
        """What is out of the ordinary."""
        return await self.transport.ask(Call(method="GET", path=DOCTOR, read_s=LONG_S), Findings)

    async def fix(self) -> Findings:
        """The same, after mending what is safe to mend. Repeated, it mends what is left."""
        return await self.transport.ask(Call(method="POST", path=f"{DOCTOR}/fix", read_s=LONG_S), Findings)

    async def read_blobs(self, cursor: str | None) -> BlobsRead:
        """Compare the digests of some stored bytes; `next_cursor` says where to go on."""
        params = {} if cursor is None else {"cursor": cursor}
        call = Call(method="GET", path=f"{DOCTOR}/blobs", params=params, read_s=LONG_S)
        return await self.transport.ask(call, BlobsRead)

    async def start_backup(self, name: str | None) -> Backup:
        """Begin one. Raises Conflict, InvalidRequest."""
        call = Call(method="POST", path=BACKUPS, body=AskBackup(name), repeatable=False)
        return await self.transport.ask(call, Backup)

    async def backup(self, name: str) -> Backup:
        """One; where it is being made, a second later or at its end. Raises NotFound."""
        call = Call(method="GET", path=f"{BACKUPS}/{quote(name, '')}", params={"wait_s": HELD_S})
        return await self.transport.ask(call, Backup)

    async def backups(self) -> list[Backup]:
        """By name."""
        return (await self.transport.ask(Call(method="GET", path=BACKUPS), BackupList)).backups
