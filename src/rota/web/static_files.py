"""Style, scripts and their licences, out of the wheel: each named by its digest, so that browsers keep it for good."""

import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class StaticFile:
    """One file, and the same compressed."""

    content: bytes
    compressed: bytes
    kind: str
    digest: str


def load() -> dict[str, StaticFile]:
    """All of them, by path below `static/`."""
    found: dict[str, StaticFile] = {}
    folder = resources.files(__package__).joinpath("static")
    for place, prefix in ((folder, ""), (folder.joinpath("vendor"), "vendor/")):
        for file in place.iterdir():
            kind = _KINDS.get("." + file.name.rpartition(".")[2])
            if kind is not None:
                content = file.read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                found[prefix + file.name] = StaticFile(content, gzip.compress(content), kind, digest)
    return found


def answer(file: StaticFile, request: Request) -> Response:
    """It, or 304 where the browser has it."""
    headers = {
        "ETag": f'"{file.digest}"', "Cache-Control": _FOR_GOOD, "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }  # fmt: skip
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.kind)
    return Response(file.content, headers=headers, media_type=file.kind)


def digest(files: dict[str, StaticFile]) -> str:
    """Of all of them together: a new version of any has new addresses."""
    return hashlib.sha256("".join(files[name].digest for name in sorted(files)).encode()).hexdigest()[:12]
