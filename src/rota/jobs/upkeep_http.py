"""/api/v1/doctor and /api/v1/backups: for who administers the whole server. Source: protocol.md, "Looking after"."""

import base64
import binascii

import msgspec

from rota.http.routes import ADMINS, Call, Endpoint
from rota.jobs.backups import Backups
from rota.jobs.doctor import Doctor
from rota.protocol.backup import AskBackup, Backup, BackupList
from rota.protocol.doctor import BlobsRead, Findings
from rota.protocol.get_job import WAIT_S_MAX
from rota.protocol.ids import AttemptId
from rota.protocol.problems import Forbidden, InvalidRequest
from rota.storage.stores.upkeep import RecordedBlob


class UpkeepHttp:
    """The routes."""

    def __init__(self, doctor: Doctor, backups: Backups) -> None:
        self._doctor, self._backups = doctor, backups

    def endpoints(self) -> list[Endpoint]:
        """What is served, to administrators of all environments alone."""
        doctor, backups, one = "/api/v1/doctor", "/api/v1/backups", "/api/v1/backups/{name}"
        on = {"cursor": "next_cursor of the answer before"}
        wait = {"wait_s": f"0 to {WAIT_S_MAX}: answer when it is made, at the latest then"}
        return [
            Endpoint("GET", doctor, self.look, "what is out of the ordinary", ADMINS, None, Findings),
            Endpoint("POST", f"{doctor}/fix", self.fix, "mend what is safe to mend", ADMINS, None, Findings),
            Endpoint("GET", f"{doctor}/blobs", self.blobs, "compare digests", ADMINS, None, BlobsRead, queries=on),
            Endpoint("POST", backups, self.ask, "make a backup", ADMINS, AskBackup, Backup, 202),
            Endpoint("GET", backups, self.all, "the backups", ADMINS, None, BackupList),
            Endpoint("GET", one, self.backup, "one backup", ADMINS, None, Backup, queries=wait),
        ]

    async def look(self, call: Call) -> Findings:
        _check(call)
        return await self._doctor.look()

    async def fix(self, call: Call) -> Findings:
        _check(call)
        return await self._doctor.fix()

    async def blobs(self, call: Call) -> BlobsRead:
        _check(call)
        read, after = await self._doctor.read_blobs(_after(call.query("cursor").get("cursor")))
        return msgspec.structs.replace(read, next_cursor=None if after is None else _cursor(after))

    async def ask(self, call: Call) -> msgspec.Struct:
        _check(call)
        return await self._backups.start((await call.body(AskBackup)).name)

    async def all(self, call: Call) -> BackupList:
        _check(call)
        return BackupList(await self._backups.all())

    async def backup(self, call: Call) -> Backup:
        _check(call)
        return await self._backups.backup(call.part("name"), call.number("wait_s", 0, 0, WAIT_S_MAX))


def _check(call: Call) -> None:
    """Raise Forbidden for an administrator of one environment: this is about all of them."""
    if call.caller.environment is not None:
        raise Forbidden("Only who administers the whole server may do this.")


def _cursor(after: RecordedBlob) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((after.attempt_id, after.path))).decode()


def _after(cursor: str | None) -> RecordedBlob | None:
    """The blob that was read last. Raises InvalidRequest where the cursor was not made here."""
    if cursor is None:
        return None
    try:
        attempt, path = msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=tuple[str, str])
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise InvalidRequest.of("cursor", "is not one that this server gave") from None
    return RecordedBlob(AttemptId(attempt), path, 0, "")
