"""Whether a lease ended though no gateway could have renewed it: the time that there was one is added up here, too.

Only where the gateway is a process of its own: within one process it is always there. Source: decisions, 23.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

SILENT_S = 3.0
COUNTED_S = 1.0
"""What docs/decisions/0023 promises; not read from the code that is to be checked."""
_ROUNDED_S = 0.001


class Outages:
    """What the Job service's process heard of a gateway, and when it last renewed each attempt."""

    def __init__(self, now: Callable[[], float], lease_s: float, fail: Callable[[str, str], None]) -> None:
        self.is_apart = False
        self._now, self._lease_s, self._fail = now, lease_s, fail
        self._heard_at: list[float] = []
        self._renewed_at: dict[str, float] = {}

    def started(self) -> None:
        """A Job service: whatever is held has a whole lease."""
        self._heard_at = [self._now()]
        self._renewed_at.clear()

    def heard(self) -> None:
        """A gateway's message has come."""
        self._heard_at.append(self._now())

    def given(self, attempt: str) -> None:
        """To a worker, through a gateway that asked for it a moment ago."""
        self._renewed_at[attempt] = self._heard_at[-1]

    def renewed(self, attempts: Sequence[str], at: float) -> None:
        """By a heartbeat that came then, and was answered."""
        self._renewed_at.update(dict.fromkeys(attempts, at))

    def ran_out(self, attempt: str) -> None:
        """Its lease is over, as the Job service says."""
        counted_s = self._counted_s(self._renewed_at.get(attempt, self._heard_at[0]))
        if self.is_apart and counted_s < self._lease_s - _ROUNDED_S:
            self._fail(
                "I-9 no lease ends in an outage",
                f"{attempt} lost its lease of {self._lease_s} s after {counted_s:.3f} s in which it could be renewed",
            )

    def _counted_s(self, since: float) -> float:
        """From then on, or from the return after the first outage since; the longer of both.

        It may have been decided before that outage, and be recorded only now.
        """
        after = [at for at in self._heard_at if at >= since] or [since]
        counted_s, before_s, is_first = after[0] - since, 0.0, True
        for before, at in pairwise(after):
            silent_s = at - before
            if silent_s > SILENT_S and is_first:
                counted_s, before_s, is_first = 0.0, counted_s, False
            else:
                counted_s += silent_s if silent_s <= SILENT_S else COUNTED_S
        return max(counted_s, before_s)
