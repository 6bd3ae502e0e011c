"""The store of Environments on SQLite, in the Job service's file."""

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from rota.protocol.environment import CallerKind, Credential, Environment
from rota.protocol.ids import CredentialId
from rota.protocol.placement import WorkerFacts
from rota.storage.sqlite.database import Database
from rota.storage.statements import load
from rota.storage.stores.environments import StoredCredential

SQL = load(__package__, "environments.sql")

_facts = msgspec.json.Decoder(WorkerFacts)


class SqliteEnvironments:
    """See the port, `rota.storage.stores.environments.EnvironmentStore`."""

    def __init__(self, database: Database) -> None:
        self._write = database.writer.run
        self._look = database.reader.look

    async def insert(self, environment: Environment) -> None:
        await self._execute("insert", **_row(environment))

    async def environment(self, name: str) -> Environment | None:
        rows = self._rows("environment", name=name)
        return _environment(rows[0]) if rows else None

    async def environments(self) -> list[Environment]:
        return [_environment(row) for row in self._rows("environments")]

    async def change(self, environment: Environment) -> None:
        await self._execute("change", **_row(environment))

    async def retire(self, name: str, at: str) -> None:
        def both(connection: apsw.Connection) -> None:
            connection.execute(SQL["retire"], {"name": name, "at": at})
            connection.execute(SQL["revoke_all"], {"name": name, "at": at})

        await self._write(both)

    async def insert_credential(self, credential: StoredCredential) -> None:
        row = msgspec.structs.asdict(credential)
        row["worker"] = None if credential.worker is None else msgspec.json.encode(credential.worker).decode()
        await self._execute("insert_credential", **row)

    async def credential(self, credential: CredentialId) -> StoredCredential | None:
        rows = self._rows("credential", credential=credential)
        if not rows:
            return None
        name, kind, environment, secret_hash, note, worker, *rest = rows[0]
        facts = None if worker is None else _facts.decode(worker)
        return StoredCredential(name, CallerKind(kind), environment, secret_hash, note, facts, *rest)

    async def credentials(self, environment: str) -> list[Credential]:
        rows = self._rows("credentials", environment=environment)
        return [Credential(row[0], CallerKind(row[1]), *row[2:]) for row in rows]

    async def revoke(self, credential: CredentialId, environment: str, at: str) -> bool:
        return bool(await self._execute("revoke", credential=credential, environment=environment, at=at))

    async def use_up(self, credential: CredentialId, now: str) -> bool:
        return bool(await self._execute("use_up", credential=credential, now=now))

    async def replace_secret(self, credential: CredentialId, secret_hash: str) -> None:
        await self._execute("replace_secret", credential=credential, secret_hash=secret_hash)

    async def signing_keys(self) -> Sequence[tuple[str, str]]:
        return [(row[0], row[1]) for row in self._rows("signing_keys")]

    async def insert_signing_key(self, key: str, private: str, at: str) -> None:
        await self._execute("insert_signing_key", id=key, private=private, at=at)

    async def _execute(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (bound by SQLite)
        return await self._write(lambda connection: connection.execute(SQL[statement], values).fetchall())

    def _rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (bound by SQLite)
        return self._look(lambda connection: connection.execute(SQL[statement], values).fetchall())


def _row(environment: Environment) -> dict[str, Any]:
    labels = msgspec.json.encode(environment.labels, order="sorted").decode()
    shares = msgspec.json.encode(environment.shares, order="sorted").decode()
    return msgspec.structs.asdict(environment) | {"labels": labels, "shares": shares}


def _environment(row: tuple[Any, ...]) -> Environment:
    name, worker_auth, labels, heartbeat_s, lease_s, description, created_at, shares = row
    return Environment(
        name, worker_auth, msgspec.json.decode(labels), heartbeat_s, lease_s, description, created_at,
        msgspec.json.decode(shares),
    )  # fmt: skip
