"""What holds for every test: a skip in CI needs a reason that is allowed here, by name."""

import os
from collections.abc import Generator

import pytest

ALLOWED_SKIPS = (
    "needs root: ",  # what only root may do: other users, mounts
    "needs spin: ",  # a program of Debian that .ci/debian-packages installs where it may
    "needs chromium: ",  # likewise
    "needs memory cgroups: ",  # a machine on which a job may be given a memory limit
)
"""How the reason of a skip may begin. Anything else that is skipped in CI fails the run."""

UNEXPECTED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, default=20, help="how often test_random_kills ends its server (1000: an hour)"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[UNEXPECTED] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(ALLOWED_SKIPS):
            item.config.stash[UNEXPECTED].append(f"{report.nodeid}: {reason}")
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module that skips itself as a whole hides all its tests; none has a reason to."""
    if report.skipped and os.environ.get("CI") == "true":
        pytest.exit(f"{report.nodeid} skips itself as a whole: {report.longrepr}", returncode=1)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("CI") == "true" and session.config.stash[UNEXPECTED] and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    unexpected = config.stash[UNEXPECTED]
    if not unexpected:
        return
    terminalreporter.section("skipped for a reason that is not allowed")
    for line in unexpected:
        terminalreporter.write_line(line)
    terminalreporter.write_line("Allowed reasons start with: " + ", ".join(repr(start) for start in ALLOWED_SKIPS))
