"""A database file: its lock, its migrations, its writer and its reader."""

import fcntl
import os
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import apsw

from rota.protocol.problems import Conflict
from rota.storage.disk import Disk
from rota.storage.sqlite.reader import Reader
from rota.storage.sqlite.writer import DISK_ERRORS, Writer, as_problem, connect


class Database:
    """One SQLite file, opened by one process at a time.

    Raises Conflict where another server has it open, or where a newer Rota has migrated it further.
    """

    def __init__(self, path: Path, schema: str, disk: Disk | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._lock = lock(path)
        migrate(path, schema)
        self.disk = disk or Disk()
        self.writer = Writer(path, self.disk)
        self.reader = Reader(path)

    def start(self) -> None:
        """Begin to write; call it from the event loop."""
        self.writer.start()

    def stop(self) -> None:
        """Commit what waits and let go of the file. Blocks."""
        self.reader.stop()
        self.writer.stop()
        os.close(self._lock)


def lock(path: Path) -> int:
    """Hold the database against every other process, until the descriptor is closed. Raises Conflict."""
    held = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise Conflict(f"Another server has {path} open. Stop it, or give this one another --data folder.") from None
    return held


def migrate(path: Path, schema: str) -> int:
    """Bring the file to the newest schema, forward only; returns how many steps were taken. Raises Conflict."""
    try:
        connection = connect(path)
        try:
            return _take_steps(connection, path, schema)
        finally:
            connection.close()
            path.chmod(0o600)
    except (apsw.NotADBError, apsw.CorruptError):
        raise Conflict(f"{path} is not a database of Rota's, or is damaged; it was left as it is.") from None
    except DISK_ERRORS as error:
        raise as_problem(error) from error


def newest_schema(schema: str) -> int:
    """The number of the last step that this Rota knows."""
    return len(_steps(schema))


def _steps(schema: str) -> list[Traversable]:
    folder = resources.files(__package__).joinpath("migrations", schema)
    return sorted((step for step in folder.iterdir() if step.name.endswith(".sql")), key=lambda step: step.name)


def _take_steps(connection: apsw.Connection, path: Path, schema: str) -> int:
    steps = _steps(schema)
    done = int(connection.pragma("user_version") or 0)
    if done > len(steps):
        raise Conflict(f"{path} was migrated by a newer Rota (schema {done}, known here: {len(steps)}). Upgrade Rota.")
    for number, step in enumerate(steps[done:], done + 1):
        try:
            with connection:  # a step is applied whole, with its number, or not at all
                connection.execute(step.read_text(encoding="utf-8"))
                connection.pragma("user_version", number)
        except (apsw.SQLError, apsw.ConstraintError) as error:
            raise Conflict(f"{path}: the step {step.name} failed ({error}); what it had done was undone.") from error
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(steps) - done
