"""Policies as installed packages, for tests: a folder on PYTHONPATH with a module and its entry points."""

from pathlib import Path

import pytest


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, **entry_points: str) -> None:
    """Put a package there whose module `foreign` holds `source`, for processes that are started from here."""
    place(folder, source, **entry_points)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def place(folder: Path, source: str, **entry_points: str) -> None:
    """The same, without the environment."""
    info = folder / "foreign-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1\n")
    lines = "".join(f"{name} = {value}\n" for name, value in entry_points.items())
    (info / "entry_points.txt").write_text(f"[rota.policies]\n{lines}")
    (folder / "foreign.py").write_text(source)
