"""SQL by name: a line `-- name: refuse` starts a statement; comment lines below it describe it."""

import re
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(package: str, file: str) -> dict[str, str]:
    """The named statements of one .sql file in `package`."""
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
