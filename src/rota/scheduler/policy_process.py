"""The process that a policy runs in: a line of JSON in, a line of JSON out, and an end with the scheduler's.

Started by `rota.scheduler.installed` as `python -m rota.scheduler.policy_process NAME DESCRIPTOR`.
"""

import importlib.metadata
import os
import queue
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from rota.protocol.policy import ENTRY_POINTS, MESSAGE_LENGTH_MAX, PolicyAnswer, PolicyQuestion
from rota.protocol.wire import Answer, encode

READY = b"ready\n"
Policy = Callable[[PolicyQuestion], Any]


class Replied(Answer, frozen=True):
    """Its answer (null: as usual), or why there is none."""

    answer: PolicyAnswer | None = None
    failed: str | None = None


def loaded(name: str) -> Policy | str:
    """The policy, or why it cannot be had."""
    try:
        [found] = importlib.metadata.entry_points(group=ENTRY_POINTS, name=name)
        policy: object = found.load()
    except BaseException as error:  # noqa: BLE001  (whatever a foreign package does when it is imported)
        traceback.print_exc()
        return f"cannot be loaded: {_said(error)}"
    return policy if callable(policy) else f"cannot be loaded: {found.value} is no function"


def replied(policy: Policy | str, line: bytes) -> Replied:
    """What the policy says to one question."""
    if isinstance(policy, str):
        return Replied(failed=policy)
    try:
        answer = policy(msgspec.json.decode(line, type=PolicyQuestion))
    except BaseException as error:  # noqa: BLE001  (whatever it raises, also SystemExit, is its failure and no more)
        traceback.print_exc()
        return Replied(failed=f"raised {_said(error)}")
    if answer is None or isinstance(answer, PolicyAnswer):
        return _checked(answer)
    return Replied(failed=f"returned {type(answer).__name__} instead of a PolicyAnswer or None")


def _checked(answer: PolicyAnswer | None) -> Replied:
    """The same, where its fields are of the types that they should be."""
    try:
        return Replied(msgspec.json.decode(encode(answer), type=PolicyAnswer | None))
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        return Replied(failed=f"returned a PolicyAnswer that cannot be: {error}"[:MESSAGE_LENGTH_MAX])


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def main(name: str, descriptor: int) -> None:
    """Answer until the scheduler is gone."""
    talk = socket.socket(fileno=descriptor)
    questions: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        for line in talk.makefile("rb"):
            questions.put(line)
        os._exit(0)  # the scheduler is gone: whatever the policy is doing, nobody waits for it

    threading.Thread(target=listen, daemon=True).start()
    policy = loaded(name)
    talk.sendall(READY)
    while True:
        talk.sendall(encode(replied(policy, questions.get())) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
