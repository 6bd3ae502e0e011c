"""What follows one try of a delivery: a plain function of the receiver's answer. Source: protocol.md, "Webhooks"."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from rota.protocol.webhook import After, ToSend, Tried

FACTOR = 3
AGAIN_S_MAX = 6 * 3600.0
PAUSE_S_MAX = 300.0
RETRY_AFTER_S_MAX = 24 * 3600.0
JITTER = 0.25
_MINE_ALONE = frozenset({400, 409, 413, 415, 422})
"""Answers about the event and not about the receiver: those behind it need not wait."""
_PATIENCE = frozenset({429, 503})
"""Answers whose Retry-After is for all that is sent there."""


class Answer(msgspec.Struct, frozen=True):
    """What came of a try: `status` None where there was no answer; `message` is a short cut of why."""

    status: int | None
    message: str | None = None
    retry_after_s: float | None = None
    duration_s: float = 0.0


@dataclass(frozen=True)
class Patience:
    """How soon after the first failure to try again, and for how long in all."""

    retry_s: float
    give_up_s: float


def what_follows(one: ToSend, answer: Answer, patience: Patience, chance: float) -> Tried:
    """The scheduler's word on this try. `chance` is a number from 0 to 1, for jitter."""
    status = answer.status
    tried = Tried(
        one.delivery_id, one.tries, After.DELIVERED, status, answer.message, round(answer.duration_s, 3)
    )  # fmt: skip
    if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return tried
    if status == HTTPStatus.GONE:
        why = "The receiver answered 410: it wants nothing more."
        return msgspec.structs.replace(tried, after=After.DISABLE, message=why)
    spread = 1 - JITTER + 2 * JITTER * chance
    asked_s = min(answer.retry_after_s or 0.0, RETRY_AFTER_S_MAX) if status in _PATIENCE else 0.0
    again_s = max(asked_s, spread * _grown(patience.retry_s, FACTOR, one.tries, AGAIN_S_MAX))
    pause_s = 0.0
    if status not in _MINE_ALONE:
        pause_s = max(asked_s, spread * _grown(patience.retry_s, 2, one.failures, PAUSE_S_MAX))
    after = After.AGAIN if one.failing_s + again_s <= patience.give_up_s else After.DEAD
    return msgspec.structs.replace(tried, after=after, again_s=again_s, pause_s=pause_s)


def _grown(first_s: float, factor: int, times: int, most_s: float) -> float:
    """`first_s` x `factor` ** `times`, at most `most_s`."""
    grown = first_s
    for _ in range(times):
        if grown >= most_s:
            break
        grown *= factor
    return min(grown, most_s)
