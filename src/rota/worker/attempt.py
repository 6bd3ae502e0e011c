"""From an offer to what the shepherd is told: the job's environment, folder and command line.

Source: protocol.md, "Spec"; the environment that jobs see is an allow-list.
"""

import functools
import os
from pathlib import Path

import msgspec

from rota.protocol.get_job import Offer
from rota.protocol.spec import PROCESS
from rota.worker.held import Held
from rota.worker.options import WorkerOptions
from rota.worker.shepherd.messages import Start
from rota.worker.workspace import NotPrepared

PASSED_ON = (b"PATH", b"HOME", b"LANG", b"TZ", b"TMPDIR")
"""What jobs see of the worker's own environment, and nothing else of it: it may hold a token."""

_encode = msgspec.msgpack.Encoder().encode


def start_command(offer: Offer, held: Held, folder: Path, options: WorkerOptions) -> Start:
    """What starts this job in `folder`. Raises NotPrepared."""
    if offer.spec.executor != PROCESS:
        raise NotPrepared(f"this worker has no executor `{offer.spec.executor}`")
    return Start(
        attempt_id=offer.attempt_id,
        argv=_argv(offer, folder),
        environment=_environment(offer, folder),
        folder=str(folder),
        deadline=held.kill_at,
        timeout_s=offer.spec.timeout_s,
        grace_s=offer.spec.grace_s,
        log_size_bytes_max=options.log_size_bytes_max,
        note=_encode(held.note),
    )


@functools.cache
def passed_on() -> dict[bytes, bytes]:
    """Read once: a worker's own environment does not change."""
    return {name: os.environb[name] for name in PASSED_ON if name in os.environb}


def _argv(offer: Offer, folder: Path) -> list[bytes]:
    if offer.spec.command:
        return [part.encode() for part in offer.spec.command]
    if offer.spec.script is None:
        raise NotPrepared("it names neither a command nor a script")
    script = folder / "script"
    try:
        script.write_text(offer.spec.script, encoding="utf-8", newline="")
    except OSError as error:
        raise NotPrepared(f"the script cannot be written: {error.strerror}", error) from error
    return [b"/bin/sh", b"-eu", os.fsencode(script)]


def _environment(offer: Offer, folder: Path) -> dict[bytes, bytes]:
    own = {name.encode(): value.encode() for name, value in offer.spec.env.items()}
    return {
        **passed_on(),
        **own,
        b"ROTA_JOB_ID": offer.job_id.encode(),
        b"ROTA_ATTEMPT": str(offer.number).encode(),
        b"ROTA_RESULT": os.fsencode(folder / "result"),
    }
