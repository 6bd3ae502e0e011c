"""What was measured and where: commit, machine, versions."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import apsw

PACKAGES = ("aiohttp", "apsw", "msgspec", "starlette", "uvicorn", "uvloop")


def lines(checkout: Path) -> list[str]:
    """As items of a list."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), "unknown")
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    changed = _said(checkout, "git", "status", "--porcelain", "../src")
    return [
        f"- Commit {_said(checkout, 'git', 'log', '-1', '--format=%h %cs') or 'unknown'}"
        f"{', with changes that are not committed' if changed else ''}.",
        f"- {os.cpu_count()} cores ({model}), {memory_kb / 1e6:.0f} GB, "
        f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}, "
        f"SQLite {apsw.sqlite_lib_version()} with `synchronous=FULL`; "
        f"the spawn limit compiled by {(_said(checkout, 'gcc', '--version') or 'nobody').splitlines()[0]}.",
        "- " + ", ".join(f"{name} {version(name)}" for name in PACKAGES) + ".",
        f"- Load at the end {load}: well above the cores' number means that others used the machine meanwhile.",
    ]


def _said(folder: Path, *command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.strip()
