"""Which workers are to be called lost. Source: protocol.md, "unseen for 3 x heartbeat_s, it is `lost`"."""

from collections.abc import Mapping

import msgspec

from rota.protocol.ids import WorkerId

HEARTBEATS_MISSED_MAX = 3


class LastSeen(msgspec.Struct, frozen=True):
    """When a worker's last status came: by the monotonic clock, and as recorded."""

    monotonic_s: float
    recorded_at: str
    heartbeat_s: float


def lost(seen: Mapping[WorkerId, LastSeen], now_s: float) -> list[WorkerId]:
    """Those unseen for three heartbeats at `now_s` of the monotonic clock; a step of the wall clock loses nobody."""
    return [
        worker for worker, last in seen.items() if now_s - last.monotonic_s > HEARTBEATS_MISSED_MAX * last.heartbeat_s
    ]
