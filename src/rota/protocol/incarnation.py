"""Starts of one worker, in their order. Source: protocol.md, "Worker's side"; guarantees.md, F23.

An incarnation is any UUID. One of version 8 (RFC 9562) tells in its first 48 bits which start of its worker it is, so
that a word of an earlier start that comes late is known to be late, whoever heard what before.
"""

import uuid

from rota.protocol.ids import Incarnation

NUMBER_MAX = 2**48 - 1
_VERSION = 8


def numbered(number: int, chance: bytes) -> Incarnation:
    """The incarnation of the worker's `number`th start, with 10 random bytes in it."""
    last = int.from_bytes(chance[:10], "big")
    bits = number << 80 | _VERSION << 76 | (last >> 68 & 0xFFF) << 64 | 0b10 << 62 | last & 2**62 - 1
    return Incarnation(str(uuid.UUID(int=bits)))


def gone(incarnation: Incarnation) -> Incarnation:
    """Who answers for nothing once that start has gone: later than it, earlier than the next. No start is called so."""
    return Incarnation(f"{incarnation} offline")


def is_earlier(one: Incarnation, other: Incarnation) -> bool:
    """Whether `one` is known to be an earlier start than `other`; False where either does not tell."""
    return _is_numbered(one) and _is_numbered(other) and one[:13] < other[:13]


def _is_numbered(incarnation: Incarnation) -> bool:
    return (
        incarnation[14:15] == str(_VERSION) and incarnation[8:9] == incarnation[13:14] == "-"
    )  # as RFC 9562 writes it
