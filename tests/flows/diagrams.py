"""The diagrams of flows.md as lists of messages."""

ASKED = ["w -> wg: getJob", "wg -> j: getJobForWorker"]
RETURNED = ["j -> wg: returnJobForWorker", "wg -> w: returnJob"]
ACKNOWLEDGED = ["w -> wr: status: Working", "wr -> w: status received"]
FINISHED = [
    "w -> wg: jobFinished",
    "wg -> j: jobFinished",
    "j -> wg: jobFinishedReceived",
    "wg -> w: jobFinishedReceived",
]
READY = ["w -> wr: status: readyForWork", "wr -> w: status received"]
REFUSED = ["w -> wg: refuse job", "wg -> j: refuse job", "j -> wg: refuse accepted", "wg -> w: refuse accepted"]

WORKING = "status: Working"

EXECUTION = [*RETURNED, *ACKNOWLEDGED, *FINISHED, *READY]
"""All that follows the question."""


def without_questions(messages: list[str]) -> list[str]:
    """The messages but for questions and their noJobs: while one job is reported the next may be asked for."""
    questions = {*ASKED, "j -> wg: noJob", "wg -> w: noJob"}
    return [message for message in messages if message not in questions]
