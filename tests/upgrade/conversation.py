"""A recorded conversation: what a worker and a user's program of some version said, and what they were answered.

Addresses and tokens of the recording are replaced by names, so that it can be held anywhere and opens nothing.
"""

import base64
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "conversations"
REQUEST_HEADERS = ("authorization", "rota-incarnation", "rota-protocol", "upload-offset", "idempotency-key", "accept",
                   "content-type", "range")  # fmt: skip
"""What of a request's head is meant, and not its library's doing."""
ANSWER_HEADERS = ("content-type", "upload-offset", "rota-degraded", "retry-after", "location", "etag", "content-range")
SERVICES = ("jobs", "gateway", "registry")


@dataclass(frozen=True)
class Body:
    """JSON, or text, or other bytes; `kind` says which."""

    kind: str
    content: Any

    @classmethod
    def of(cls, content: bytes, content_type: str) -> "Body":
        """As it came."""
        if not content:
            return cls("none", None)
        if "json" in content_type:
            return cls("json", json.loads(content))
        try:
            return cls("text", content.decode())
        except UnicodeDecodeError:
            return cls("base64", base64.b64encode(content).decode())

    @property
    def raw(self) -> bytes:
        """As it is sent."""
        if self.kind == "none":
            return b""
        if self.kind == "json":
            return json.dumps(self.content).encode()
        return base64.b64decode(self.content) if self.kind == "base64" else str(self.content).encode()


@dataclass(frozen=True)
class Step:
    """One request with its answer; or, where `do` is not empty, a service that is stopped or started."""

    to: str
    do: str = ""
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Body = Body("none", None)
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer: Body = Body("none", None)


@dataclass(frozen=True)
class Conversation:
    """All steps, in order; one at a time."""

    version: str
    steps: list[Step]

    def save(self, path: Path) -> None:
        """With the least that tells it."""
        steps = [{key: value for key, value in asdict(step).items() if value not in (0, "", {})} for step in self.steps]
        for step in steps:
            for key in ("body", "answer"):
                if step[key]["kind"] == "none":
                    del step[key]
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"version": self.version, "steps": steps}, indent=1, ensure_ascii=False) + "\n")


def load(path: Path) -> Conversation:
    """As it was saved."""
    told = json.loads(path.read_text())
    steps = []
    for step in told["steps"]:
        bodies = {key: Body(**step[key]) for key in ("body", "answer") if key in step}
        steps.append(Step(**{**step, **bodies}))
    return Conversation(told["version"], steps)


def recorded() -> list[Path]:
    """All that are kept."""
    return sorted(FOLDER.glob("*.json"))
