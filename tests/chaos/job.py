"""What a job of the chaos does: known output, and lines in a ledger that tell when it was executed.

A worker runs it as a program of its own: `python -IS job.py FOLDER NUMBER LASTS_S`. It holds a lock on a file of its
number while it runs, which the kernel takes back when it dies, however it dies: who finds it held is a second
execution at the same time.
"""

import fcntl
import hashlib
import os
import select
import sys
from time import CLOCK_BOOTTIME, clock_gettime_ns

LINE_SIZE_BYTES = 65
ARTIFACT = "out.bin"


def output(number: int, name: str) -> bytes:
    """The log or the artifact of job `number`: most fit into a message, some must be uploaded."""
    many = 3000 if number % 10 == 0 else 1 + number * 7 % 40
    first = hashlib.sha256(f"{name} of job {number}".encode()).hexdigest()
    return b"".join(f"{first[:54]}{line:010d}\n".encode() for line in range(many))


def is_had(lock: int) -> bool:
    """Whether the lock was free, and is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main() -> None:
    """Be executed: lock, note, write half, wait, write the other half, note."""
    folder, number, lasts_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    work_dir, _, attempt, _ = os.environ["ROTA_RESULT"].rsplit("/", 3)
    worker = os.path.basename(work_dir)  # noqa: PTH119  (this program starts hundreds of times)
    ledger = os.open(f"{folder}/ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(what: str, more: str = "-") -> None:
        os.write(ledger, f"{clock_gettime_ns(CLOCK_BOOTTIME)} {what} {number} {attempt} {worker} {more}\n".encode())

    lock = os.open(f"{folder}/locks/{number}", os.O_RDWR | os.O_CREAT, 0o600)
    if not is_had(lock):
        note("overlap", os.pread(lock, 200, 0).decode() or "-")
        while not is_had(lock):  # and not a wait for it: who is frozen meanwhile would be handed it unawares
            select.select([], [], [], 0.005)
        note("freed")
    os.ftruncate(lock, 0)
    os.pwrite(lock, attempt.encode(), 0)
    note("start")
    log = output(number, "log")
    half = len(log) // 2
    sys.stdout.buffer.write(log[:half])
    sys.stdout.buffer.flush()
    select.select([], [], [], lasts_s)
    sys.stdout.buffer.write(log[half:])
    sys.stdout.buffer.flush()
    with open(ARTIFACT, "wb") as file:  # noqa: PTH123  (as above)
        file.write(output(number, "artifact"))
    note("end")


if __name__ == "__main__":
    main()
