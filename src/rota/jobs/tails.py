"""The last lines of a log, where the decision on its job hangs on them. Source: protocol.md, `retry`."""

import logging
from collections.abc import Sequence

import msgspec

from rota.protocol.decide import Ended
from rota.protocol.ids import AttemptId
from rota.protocol.problems import Problem
from rota.protocol.retry import TAIL_LINES, TAIL_SIZE_BYTES
from rota.protocol.spec import Spec
from rota.storage.stores.blobs import BlobStore
from rota.storage.stores.jobs import JobStore

log = logging.getLogger(__name__)


async def with_tails(ended: Sequence[Ended], store: JobStore, blobs: BlobStore) -> list[Ended]:
    """The same, with the log's tail where a rule looks for something in it, or a policy is asked."""
    return [
        msgspec.structs.replace(one, log_tail=await _tail(one.attempt_id, store, blobs))
        if one.attempt_id is not None and _is_wanted(one.spec)
        else one
        for one in ended
    ]


def last_lines(text: bytes) -> str:
    """At most the last lines and bytes that a rule sees; what is no UTF-8 is replaced."""
    lines = text[-TAIL_SIZE_BYTES:].decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


def _is_wanted(spec: Spec) -> bool:
    rules = spec.retry.on or [] if spec.retry is not None else []
    return spec.policy is not None or any(rule.log is not None for rule in rules)


async def _tail(attempt: AttemptId, store: JobStore, blobs: BlobStore) -> str:
    """Empty where the log cannot be read: a damaged one keeps no job from its verdict."""
    try:
        output = await store.output(attempt, "")
        if output is not None and output.content is not None:
            return last_lines(output.content)
        size = await blobs.size(attempt, "")
        if not size:
            return ""
        pieces = [piece async for piece in blobs.read(attempt, "", max(0, size - TAIL_SIZE_BYTES), size)]
        return last_lines(b"".join(pieces))
    except Problem as problem:
        log.warning("the log of attempt %s cannot be read for the decision on its job: %s", attempt, problem.detail)
        return ""
