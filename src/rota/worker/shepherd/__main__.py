"""`python -m rota.worker.shepherd LISTENING_FD WORK_FOLDER`: started by the agent, lives on without it."""

import ctypes
import os
import signal
import socket
import sys
from pathlib import Path

from rota.worker.shepherd import reserve, tree
from rota.worker.shepherd.loop import Shepherd
from rota.worker.shepherd.process import raise_file_limit

_PR_SET_CHILD_SUBREAPER = 36
_TAGS_FILE = "shepherd.tags"


def main() -> int:
    """End what a former shepherd left, then watch over jobs until none is left and nobody asks for more."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    listener.set_inheritable(False)
    listener.listen()  # again: from here on its peers are told this process, and not the agent that made it
    work_folder = Path(sys.argv[2])
    # Whoever stops the worker stops the agent; a shepherd that dies of the same signal could end no job in order.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o022)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.stderr.write("shepherd: not the reaper of its jobs' orphans; those that hide well may survive\n")
    raise_file_limit()
    end_leftovers(work_folder / _TAGS_FILE)
    shepherd = Shepherd(listener, work_folder)
    try:
        reserve.write(work_folder / _TAGS_FILE, str(shepherd.herd.tags.first).encode(), work_folder)
    except OSError as error:  # a full disk keeps no worker from reporting what it did
        sys.stderr.write(f"shepherd: {_TAGS_FILE} cannot be written ({error.strerror})\n")
    shepherd.run()
    return 0


def end_leftovers(tags_file: Path) -> None:
    """Kill what bears a tag of the former shepherd: nobody can report it any more. Source: guarantees.md, G11."""
    try:
        first = int(tags_file.read_text())
    except (FileNotFoundError, ValueError):
        return
    for _ in range(tree.PASSES_MAX):
        left = tree.bearers_between(first)
        if not left:
            return
        tree.send(left, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
