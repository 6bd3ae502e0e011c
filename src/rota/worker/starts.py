"""Which start of this worker it is: counted in the work folder, so that the server knows late words from new ones."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from rota.protocol.ids import Incarnation
from rota.protocol.incarnation import NUMBER_MAX, numbered
from rota.worker.say import say
from rota.worker.shepherd import reserve
from rota.world import World

FILE_NAME = "starts"


def next_incarnation(folder: Path, world: World, sync: Callable[[int], None] = os.fsync) -> Incarnation:
    """A higher number than any start before: on disk before it is used.

    Milliseconds of the wall clock are the least, so that a count that was lost with its file is passed all the same.
    """
    number = max(_last(folder) + 1, int(world.now().timestamp() * 1000))
    try:
        try:
            _keep(folder, number, sync)
        except OSError:
            if not reserve.give_up(folder):
                raise
            _keep(folder, number, sync)
    except OSError as error:
        say(f"the number of this start could not be kept in {folder / FILE_NAME} ({error.strerror})")
    return numbered(number, world.secret(10))


def _last(folder: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return min(max(0, int((folder / FILE_NAME).read_bytes())), NUMBER_MAX - 1)
    return 0


def _keep(folder: Path, number: int, sync: Callable[[int], None]) -> None:
    fresh = folder / f"{FILE_NAME}.new"
    with fresh.open("wb") as file:
        file.write(b"%d" % number)
        file.flush()
        sync(file.fileno())
    fresh.replace(folder / FILE_NAME)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(opened)
    finally:
        os.close(opened)
