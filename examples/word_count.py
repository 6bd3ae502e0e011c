"""Many jobs at once, each with an input of its own; their JSON results are added up."""

import base64
from collections.abc import Mapping
from typing import Any

from rota import Client

TEXTS = {
    "one.txt": "the quick brown fox",
    "two.txt": "jumps over",
    "three.txt": "the lazy dog",
}
COUNT = """
words=$(wc -w < input.txt)
echo "counted $words words" | tee report.txt
echo "{\\"words\\": $words}" > "$ROTA_RESULT"
"""


def spec(name: str, text: str) -> Mapping[str, Any]:
    """A job that counts the words of one text."""
    content = base64.b64encode(text.encode()).decode()
    return {
        "name": name,
        "script": COUNT,
        "inputs": [{"path": "input.txt", "content": content}],
        "artifacts": ["report.txt"],
        "timeout_s": 60,
        "tags": {"example": "word-count"},
    }


with Client() as rota:
    jobs = rota.submit_many([spec(name, text) for name, text in TEXTS.items()])
    for job in jobs:
        job.wait()
        [report] = job.artifacts()
        print(f"{job.data.spec.name}: {job.value['words']} words; {report.path} has {report.size_bytes} bytes")
    print("in all", sum(job.value["words"] for job in jobs), "words")
