"""Whether the work folder has room for more jobs. Source: guarantees.md, F34."""

import shutil
from pathlib import Path

from rota.worker.say import say
from rota.worker.shepherd import reserve

LOOK_S = 1.0
"""How long a worker without room waits before it looks again."""


class Room:
    """Looked at before each question; told when it goes and when it comes back."""

    def __init__(self, work_dir: Path, free_bytes_min: int) -> None:
        self._work_dir = work_dir
        self._free_bytes_min = free_bytes_min
        self._was_there = True

    def is_there(self) -> bool:
        """With the reserve in its place, which what runs may need to be reported."""
        if self._free_bytes_min == 0:
            return True  # no such mark is wanted
        free_bytes = shutil.disk_usage(self._work_dir).free
        if reserve.is_kept(self._work_dir):
            is_there = free_bytes >= self._free_bytes_min
        else:
            has_both = free_bytes >= self._free_bytes_min + reserve.SIZE_BYTES
            is_there = has_both and reserve.keep(self._work_dir)
        if is_there != self._was_there:
            self._was_there = is_there
            say(
                f"{self._work_dir} has room again"
                if is_there
                else f"{self._work_dir} is full ({free_bytes} bytes free): no job is asked for until there is room"
            )
        return is_there
