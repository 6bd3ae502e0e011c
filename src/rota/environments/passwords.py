"""Passwords of workers that authenticate by Basic: argon2id at rest, checked once and then remembered.

While a password is being changed two are good: the one before stays until the new one was used, so that an answer
that got lost locks nobody out.
"""

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's argon2id minimum
_NOBODY = _hasher.hash("nobody's password, checked where a name is unknown, so that the time tells nothing")


def hash_password(password: str) -> str:
    """The argon2id hash."""
    return _hasher.hash(password)


def which_password(password: str, hashes: str) -> int | None:
    """Which of the stored hashes (newest first) it fits; None: none of them. Slow on purpose."""
    for index, stored in enumerate(hashes.split()):
        try:
            if _hasher.verify(stored, password):
                return index
        except (VerificationError, InvalidHashError):
            continue
    return None


def check_nobody(password: str) -> None:
    """Spend the time that a check would take."""
    which_password(password, _NOBODY)
