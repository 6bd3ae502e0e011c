"""The messages that a job really caused: out of its attempts' traces and the registry's record.

In order of time. Within an attempt the order is the one of the diagram, since each message is the cause of the next,
whatever the clocks of two machines say. Source: flows.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import merge
from itertools import accumulate
from operator import itemgetter
from typing import Any

import msgspec

from rota.protocol.flow import Flow, Message, Participant
from rota.protocol.ids import AttemptId
from rota.protocol.refuse_job import REGISTRY_REASON
from rota.protocol.states import Verdict
from rota.protocol.status import Acknowledgement
from rota.storage.stores.jobs import Traced

_REGISTRY, _WORKER, _GATEWAY = Participant.REGISTRY, Participant.WORKER, Participant.GATEWAY
_JOB, _SCHEDULER = Participant.JOB, Participant.SCHEDULER


def flow(
    traces: Sequence[Traced],
    acknowledged: Mapping[AttemptId, Acknowledgement],
    decided: tuple[str, Verdict] | None,
) -> Flow:
    """All attempts' arrows and the scheduler's word, as time went."""
    strands = [_timed(_of_attempt(traced, acknowledged.get(traced.attempt_id))) for traced in traces]
    if decided is not None:
        last = traces[-1].attempt_id if traces else None
        at, verdict = decided
        said = [
            Message(at, last, _JOB, _SCHEDULER, "job ended"),
            Message(at, last, _SCHEDULER, _JOB, "verdict", detail=str(verdict)),
        ]
        strands.append(_timed(said, _end_of(strands[-1]) if strands else ""))
    return Flow([message for _, message in merge(*strands, key=itemgetter(0))])


def _timed(messages: Iterable[Message], not_before: str = "") -> list[tuple[str, Message]]:
    """Each with the moment that it has in the order: none is before its cause, though its own clock may say so."""
    causes = list(messages)
    moments = accumulate((message.at for message in causes), max, initial=not_before)
    return list(zip(list(moments)[1:], causes, strict=True))


def _end_of(strand: Sequence[tuple[str, Message]]) -> str:
    """When the Job service's last word in an attempt was: what it tells the scheduler comes after that."""
    return max((at for at, message in strand if _JOB in {message.sender, message.receiver}), default="")


def _of_attempt(traced: Traced, acknowledged: Acknowledgement | None) -> list[Message]:
    attempt = traced.attempt_id
    given = traced.assigned_at
    events = [msgspec.json.decode(line) for line in traced.trace.splitlines()]
    if any(event["event"] == "refused" and event["detail"].startswith(REGISTRY_REASON) for event in events):
        acknowledged = None  # the registry may have answered, but its answer did not reach the worker
    messages = [
        Message(traced.asked_at, attempt, _WORKER, _GATEWAY, "getJob"),
        Message(traced.asked_at, attempt, _GATEWAY, _JOB, "getJobForWorker"),
        Message(given, attempt, _JOB, _GATEWAY, "returnJobForWorker"),
        Message(given, attempt, _GATEWAY, _WORKER, "returnJob"),
    ]
    if acknowledged is not None:
        messages.append(Message(acknowledged.working_at, attempt, _WORKER, _REGISTRY, "status: Working"))
        messages.append(Message(acknowledged.working_at, attempt, _REGISTRY, _WORKER, "status received"))
    finished = False
    for event in events:
        messages += _of_event(attempt, event)
        finished = finished or event["event"] == "finished"
    if finished and acknowledged is not None and acknowledged.ready_at is not None:
        messages.append(Message(acknowledged.ready_at, attempt, _WORKER, _REGISTRY, "status: readyForWork"))
        messages.append(Message(acknowledged.ready_at, attempt, _REGISTRY, _WORKER, "status received"))
    return messages


def _of_event(attempt: AttemptId, event: Mapping[str, Any]) -> list[Message]:
    at, detail = event["at"], event["detail"]
    if event["event"] == "finished":
        return _there_and_back(attempt, at, "jobFinished", "jobFinishedReceived", detail)
    if event["event"] == "refused":
        refusal = _there_and_back(attempt, at, "refuse job", "refuse accepted", detail)
        if detail.startswith(REGISTRY_REASON):
            asked = Message(at, attempt, _WORKER, _REGISTRY, "status: Working", "error", detail)
            return [asked, *refusal]
        return refusal
    if event["event"] == "returned":
        return _there_and_back(attempt, at, "heartbeat", "heartbeat received", "the attempt is no longer detached")
    if event["event"] == "detached":
        silent = "its lease ran out: kept for its worker until detach_timeout_s is over"
        return [Message(at, attempt, _JOB, _JOB, "detached", "error", silent)]
    return [Message(at, attempt, _JOB, _JOB, "lease lost", "error", detail)]


def _there_and_back(attempt: AttemptId, at: str, name: str, answer: str, detail: str) -> list[Message]:
    return [
        Message(at, attempt, _WORKER, _GATEWAY, name, detail=detail),
        Message(at, attempt, _GATEWAY, _JOB, name, detail=detail),
        Message(at, attempt, _JOB, _GATEWAY, answer),
        Message(at, attempt, _GATEWAY, _WORKER, answer),
    ]
