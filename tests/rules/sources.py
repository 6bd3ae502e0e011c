"""The files that the rules look at: what is tracked, and what a person is about to add."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file of the checkout that git tracks or would track. Without git (a source archive): all but caches."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=HERE,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [HERE / name for name in listed.stdout.decode().split("\0") if name]
    else:
        found = [file for file in HERE.rglob("*") if not _is_made(file)]
    return tuple(sorted(file for file in found if file.is_file() and not file.is_symlink()))


def _is_made(file: Path) -> bool:
    return any(
        part.startswith(".") or part in {"__pycache__", "dist", "build"} for part in file.relative_to(HERE).parts
    )


def python_files(folder: str) -> Iterator[Path]:
    """Python files below `folder`."""
    return (file for file in files() if file.suffix == ".py" and file.is_relative_to(HERE / folder))


def name(file: Path) -> str:
    """As a reader would type it."""
    return file.relative_to(HERE).as_posix()


@cache
def tree(file: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse(file.read_text(), filename=name(file))
