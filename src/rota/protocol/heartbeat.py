"""heartbeat: renews leases, brings cancellations. Source: protocol.md, "heartbeat"."""

from typing import Annotated

from msgspec import Meta

from rota.protocol.ids import AttemptId
from rota.protocol.wire import Answer, Request


class Heartbeat(Request, frozen=True):
    """The attempts that the worker is executing or reporting."""

    attempts: Annotated[list[AttemptId], Meta(max_length=10_000)]


class Renewed(Answer, frozen=True):
    """`lease_s` counts from before the heartbeat was sent, for all but `lost`; stop what `cancel` and `lost` name."""

    lease_s: float
    cancel: list[AttemptId] = []
    lost: list[AttemptId] = []
