"""What a policy is asked, as JSON: a plain function of what has ended. Source: docs/how-to/policies.md."""

from typing import Literal

import msgspec

from rota.protocol.decide import Decision, Ended
from rota.protocol.ids import AttemptId
from rota.protocol.policy import Again, PolicyAnswer, PolicyQuestion
from rota.protocol.spec import Spec
from rota.protocol.states import JobState
from rota.protocol.wire import encode

TRIES_MAX = 10
"""Most tries of a job whose spec has a policy and no `retry`."""


def tries_max(spec: Spec) -> int:
    """How many tries a policy may make of such a job."""
    return TRIES_MAX if spec.retry is None else spec.retry.max_attempts


def question(ended: Ended, default: Decision) -> bytes:
    """One line of JSON."""
    if default.verdict is None:
        more = {"requires": default.requires or {}, "resources": default.resources or {}}
        again = msgspec.convert(msgspec.to_builtins({"delay_s": default.delay_s, **more}), Again)
        usual = PolicyAnswer(again=again, message=default.message)
    else:
        usual = PolicyAnswer(verdict=default.verdict, message=default.message)
    state: Literal["finished", "lost"] = "finished" if ended.state is JobState.FINISHED else "lost"
    attempt, tail = AttemptId(ended.attempt_id or ""), ended.log_tail or ""
    return encode(
        PolicyQuestion(
            ended.job_id, attempt, state, ended.spec, ended.result, ended.tries, tries_max(ended.spec), ended.losses,
            ended.worker_id, tail, usual,
        )
    )  # fmt: skip
