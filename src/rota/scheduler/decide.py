"""What follows an end: a plain function of the ended job. Source: flows.md, "Job has Non-Zero Exitcode"."""

from rota.protocol.decide import Decision, Ended
from rota.protocol.job_finished import Reason
from rota.protocol.states import JobState, Verdict

LOSSES_MAX = 3
"""A job whose worker vanished is tried again until that many of its attempts were lost."""


def decide(ended: Ended) -> Decision:
    """Exit code 0 succeeds, all else fails; a lost attempt is tried again while its limit is not reached."""
    if ended.state is JobState.WAITING:
        if ended.losses < LOSSES_MAX:
            return Decision(ended.job_id, ended.attempt_id, ended.state, None)
        message = f"Its worker vanished {ended.losses} times; no try is left."
        return Decision(ended.job_id, ended.attempt_id, ended.state, Verdict.FAILED, message)
    verdict = Verdict.SUCCEEDED if _succeeded(ended) else Verdict.FAILED
    return Decision(ended.job_id, ended.attempt_id, ended.state, verdict)


def _succeeded(ended: Ended) -> bool:
    """No result is never a success."""
    result = ended.result
    return (
        ended.state is JobState.FINISHED
        and result is not None
        and result.reason is Reason.EXITED
        and result.exit_code == 0
    )
