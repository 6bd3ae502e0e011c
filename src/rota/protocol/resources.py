"""What a job needs for itself of a worker, and what a worker has in all: counted, never shared. Source: protocol.md.

Amounts are counted in thousandths, as whole numbers: ten jobs of 0.1 cpus are one of 1, to the last of them.
"""

import re
from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

Amount = Annotated[int | float, Meta(description="a number, such as 2; a size in bytes, such as 4294967296")]
Resources = dict[str, Amount]
"""Amounts by name: `cpus`, `memory_bytes`, `gpus`, `disk_bytes`, and such as a place has of its own (`licences`)."""

AMOUNT_MAX = 2**53
NAMES_MAX = 20
"""Most resources that one job asks for, or one worker offers: they travel in its credential, in a header."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,49}", re.ASCII)
_WHOLE = frozenset({"memory_bytes", "disk_bytes", "gpus"})
_NEEDED = frozenset({"cpus", "memory_bytes"})
"""No process runs with none of these."""
_MEANT = {
    "cpu": "cpus", "cores": "cpus", "gpu": "gpus", "mem": "memory_bytes", "memory": "memory_bytes",
    "ram": "memory_bytes", "memory_mb": "memory_bytes", "memory_mib": "memory_bytes", "memory_gb": "memory_bytes",
    "memory_gib": "memory_bytes", "disk": "disk_bytes", "disk_mb": "disk_bytes", "disk_gb": "disk_bytes",
}  # fmt: skip


def wrong_resources(resources: Mapping[str, float], field: str, *, is_asked: bool) -> list[tuple[str, str]]:
    """What could never be meant so: the field of each, and what to write instead. A worker may offer 0, a job not."""
    wrong: list[tuple[str, str]] = []
    if len(resources) > NAMES_MAX:
        wrong.append((field, f"has at most {NAMES_MAX} names"))
    for name, amount in resources.items():
        what = _wrong_name(name) or _wrong_amount(name, amount, is_asked=is_asked)
        if what is not None:
            wrong.append((f"{field}.{name}", what))
    return wrong


def counted(resources: Mapping[str, float]) -> Resources:
    """The same in the one form that equal amounts share: whole numbers as such, no zeros, by name."""
    return {
        name: int(amount) if amount == int(amount) else amount for name, amount in sorted(resources.items()) if amount
    }


def has_room(offered: Mapping[str, float], asked: Mapping[str, float]) -> bool:
    """Whether all that is asked is there; what is not offered is not there."""
    return all(_thousandths(offered.get(name, 0)) >= _thousandths(amount) for name, amount in asked.items())


class Room:
    """What of a worker's resources is free."""

    def __init__(self, offered: Mapping[str, float]) -> None:
        self._thousandths = {name: _thousandths(amount) for name, amount in offered.items()}

    def take(self, asked: Mapping[str, float], count: int = 1) -> None:
        """So many have that much of it, each."""
        for name, amount in asked.items():
            self._thousandths[name] = self._thousandths.get(name, 0) - _thousandths(amount) * count

    def holds(self, asked: Mapping[str, float]) -> bool:
        """Whether all that is asked is free."""
        return all(self._thousandths.get(name, 0) >= _thousandths(amount) for name, amount in asked.items())


def _thousandths(amount: float) -> int:
    return amount * 1000 if isinstance(amount, int) else round(amount * 1000)


def _wrong_name(name: str) -> str | None:
    meant = _MEANT.get(name.lower())
    if meant is not None:
        unit = ", in bytes" if meant.endswith("_bytes") else ""
        return f"is not counted by that name; write `{meant}`{unit}"
    if name.lower() in {"cpus", "gpus", "memory_bytes", "disk_bytes"} and name != name.lower():
        return f"is not counted by that name; write `{name.lower()}`"
    if _NAME.fullmatch(name) is None:
        return "is no name of a resource; it begins with a letter and has at most 50 of A-Z a-z 0-9 _ . / -"
    return None


def _wrong_amount(name: str, amount: float, *, is_asked: bool) -> str | None:
    if not 0 <= amount <= AMOUNT_MAX:  # what is no number is in no order either
        return f"must be from 0 to {AMOUNT_MAX}"
    if amount == 0 and is_asked and name in _NEEDED:
        return "must be more than 0; leave it out, and nothing is counted"
    if name in _WHOLE and amount != int(amount):
        return f"is a whole number{' of bytes' if name.endswith('_bytes') else ''}"
    if abs(amount * 1000 - round(amount * 1000)) > 1e-6 * max(1.0, amount):
        return "is counted in thousandths; write at most three decimals"
    return None
