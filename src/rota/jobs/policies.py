"""The policies that the scheduler knows, so that a spec which names another is refused when it is submitted."""

from collections.abc import Sequence

from rota.protocol.problems import InvalidRequest

_SHOWN_MAX = 20


class KnownPolicies:
    """As the scheduler last announced them. Before it did, any name is taken; its scheduler will say what it misses."""

    def __init__(self) -> None:
        self._known: frozenset[str] | None = None

    def announced(self, policies: Sequence[str]) -> None:
        """These, and no other."""
        self._known = frozenset(policies)

    def check(self, policy: str | None, field: str) -> None:
        """Raise InvalidRequest naming `field` where the scheduler knows no such policy."""
        if policy is None or self._known is None or policy in self._known:
            return
        known = sorted(self._known)
        there_are = f"there are: {', '.join(known[:_SHOWN_MAX])}" if known else "it knows none"
        raise InvalidRequest.of(field, f"the scheduler knows no policy `{policy}`; {there_are}")
