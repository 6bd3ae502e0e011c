"""A flow as text that draws a diagram: PlantUML, as in flows.md, and Mermaid."""

from collections.abc import Callable

from rota.protocol.flow import Flow, Message, Participant

_SHORT = {
    Participant.REGISTRY: "wr",
    Participant.WORKER: "w",
    Participant.GATEWAY: "wg",
    Participant.JOB: "j",
    Participant.SCHEDULER: "js",
}
_ANSWERS = frozenset(
    {"returnJobForWorker", "returnJob", "status received", "jobFinishedReceived", "refuse accepted", "verdict"}
)


def plantuml(flow: Flow) -> str:
    """The diagram in PlantUML; an error's arrow is red."""

    def arrow(message: Message) -> str:
        dash = "--" if message.name in _ANSWERS else "-"
        color = "[#red]" if message.outcome == "error" else ""
        line = f"{dash[:1]}{color}{dash[1:]}>" if color else f"{dash}>"
        return f"{_SHORT[message.sender]} {line} {_SHORT[message.receiver]}: {_label(message)}"

    participants = [f"participant {one.value} as {short}" for one, short in _SHORT.items()]
    return "\n".join(["@startuml", *participants, *_lines(flow, arrow), "@enduml", ""])


def mermaid(flow: Flow) -> str:
    """The diagram in Mermaid; an error's arrow ends in a cross."""

    def arrow(message: Message) -> str:
        line = "-x" if message.outcome == "error" else "-->>" if message.name in _ANSWERS else "->>"
        return f"  {_SHORT[message.sender]}{line}{_SHORT[message.receiver]}: {_label(message)}"

    participants = [f"  participant {short} as {one.value}" for one, short in _SHORT.items()]
    return "\n".join(["sequenceDiagram", *participants, *_lines(flow, arrow), ""])


def _lines(flow: Flow, arrow: Callable[[Message], str]) -> list[str]:
    return [arrow(message) for message in flow.messages]


def _label(message: Message) -> str:
    """A reason is the worker's word: only what cannot be taken for the diagram's own syntax is shown."""
    if message.outcome != "error" or not message.detail:
        return message.name
    detail = "".join(c if c.isalnum() or c in " .,:_-/()" else " " for c in message.detail)[:120]
    return f"{message.name} ({detail})"
