"""The disk below a server: when no more work is taken, what is kept back for results, and whether its word is good.

Three marks, from the top: below the least free room no job is taken or given out; below a quarter of it no upload
goes on; at the end a file that was filled beforehand is given up, so that the results of what runs still fit.
Source: guarantees.md, F35, F36.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from rota.protocol.problems import Unavailable
from rota.world import World

FREE_BYTES_MIN = 256 * 1024 * 1024
"""The least free room where no setting says otherwise, or a part of a disk that is small."""
SMALL_DISK_PARTS = 20
RESERVE_SIZE_BYTES_MAX = 16 * 1024 * 1024
RESERVE_FILE = "reserve"
LOOK_EVERY_S = 1.0
_QUARTERS = 4

log = logging.getLogger(__name__)


class Disk:
    """Shared by all that writes in one process. `folders` by what they hold; none: room without end.

    `free_bytes_min` None: 256 MiB, or a twentieth of a disk on which that would be more. The reserve lies in `data`.
    """

    def __init__(self, folders: Mapping[str, Path] | None = None, free_bytes_min: int | None = None) -> None:
        self.is_broken = False
        self.on_broken: Callable[[], None] = lambda: None
        self._folders = dict(folders or {})
        self._free_bytes_min = free_bytes_min
        self._is_low = False
        data = self._folders.get("data")
        self._reserve = None if data is None else data / RESERVE_FILE

    def check_work(self) -> None:
        """Raises Unavailable where no job may be taken or given out, since the results of those that run must fit."""
        why = self.why_no_work()
        if why is not None:
            raise Unavailable(why)

    def check_upload(self) -> None:
        """Raises Unavailable where what is left is the database's. An upload goes on later from where it was."""
        self.check_trust()
        name = "blobs" if "blobs" in self._folders else "data"
        if name in self._folders and self._free(name) < self._least(name) // _QUARTERS:
            raise Unavailable("The server's disk is full: no bytes are taken until there is room.")

    def check_trust(self) -> None:
        """Raises Unavailable once the disk failed to confirm a write: none is made any more."""
        if self.is_broken:
            raise Unavailable("The server's disk failed to confirm a write: it takes none, and is about to stop.")

    def why_no_work(self) -> str | None:
        """In words, with numbers; None where there is room."""
        for name in self._folders:
            free, least = self._free(name), self._least(name)
            if free < least:
                return (
                    f"The server's disk is almost full ({name}: {free} bytes free, less than {least}, see "
                    "ROTA_DISK_FREE_BYTES_MIN): no job is taken or given out until there is room."
                )
        return None

    async def ready(self) -> str | None:
        """For /readyz: why no job is taken; None where it is."""
        return self.why_no_work()

    def distrust(self, error: Exception) -> None:
        """A write was not confirmed (fsync failed). To ask once more would be answered "done" without being so."""
        if not self.is_broken:
            self.is_broken = True
            log.critical("the disk failed to confirm a write (%s): no more writes, stopping", error)
            self.on_broken()

    def give_up_reserve(self) -> None:
        """Room for the results of what runs. It is filled again when there is room."""
        if self._reserve is not None:
            with contextlib.suppress(OSError):  # none there: given up before
                self._reserve.unlink()

    def look(self) -> None:
        """Say what has changed, once; fill the reserve where there is room for it."""
        why = self.why_no_work()
        if (why is not None) != self._is_low:
            self._is_low = why is not None
            log.warning("%s", why or "There is room on the disk again: jobs are taken and given out.")
        if self._reserve is None or self._reserve.exists():
            return
        size_bytes = self._reserve_size_bytes
        if size_bytes > 0 and self._free("data") >= self._least("data") + size_bytes:
            try:
                _fill(self._reserve, size_bytes)
            except OSError as error:
                self.give_up_reserve()
                log.warning("no reserve can be kept on the disk: %s", error.strerror)

    async def watch(self, world: World) -> None:
        """Look every second, until cancelled."""
        while True:
            await world.sleep(LOOK_EVERY_S)
            self.look()

    def gauges(self, metrics: CollectorRegistry) -> None:
        """What can be measured of it."""
        free = Gauge("rota_disk_free_bytes", "Free room where the server writes", ["folder"], registry=metrics)
        for name in self._folders:
            free.labels(name).set_function(lambda name=name: self._free(name))  # type: ignore[misc]
        low = Gauge("rota_disk_low", "1 where no job is taken or given out for want of room", registry=metrics)
        low.set_function(lambda: self.why_no_work() is not None)

    @property
    def _reserve_size_bytes(self) -> int:
        return min(RESERVE_SIZE_BYTES_MAX, self._least("data") // _QUARTERS)

    def _free(self, name: str) -> int:
        found = os.statvfs(self._folders[name])
        return found.f_bavail * found.f_frsize

    def _least(self, name: str) -> int:
        if self._free_bytes_min is not None:
            return self._free_bytes_min
        found = os.statvfs(self._folders[name])
        return min(FREE_BYTES_MIN, found.f_blocks * found.f_frsize // SMALL_DISK_PARTS)


def _fill(path: Path, size_bytes: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, size_bytes)
    finally:
        os.close(file)
