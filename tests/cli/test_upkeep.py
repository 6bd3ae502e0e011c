"""`rota doctor`, `rota backup`, `rota restore`, as a person types them."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from cli.conftest import Shell, variables
from house import HandWorker, Server, described, finished
from rota.cli.backup import progress
from rota.cli.output import Output
from rota.jobs.findings import ORPHAN_S

LOG = b"x" * 200_000


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Server]:
    """A server of its own, with one finished job whose log is a blob."""
    started = Server(tmp_path / "data")
    worker = HandWorker(started)
    with started.client() as admin, worker.http as http:
        worker.status("ready_for_work")
        admin.post("/api/v1/jobs", json={"command": ["true"]})
        [offer] = worker.get_job(wait_s=5)
        attempt = offer["attempt_id"]
        http.patch(f"/gateway/v1/attempts/{attempt}/log", content=LOG, headers={"Upload-Offset": "0"})
        worker.finish(finished(attempt) | {"log": described(LOG)})
    yield started
    started.stop()


@pytest.fixture
def here(ward: Server, tmp_path: Path) -> Shell:
    """A shell that knows it."""
    return Shell(variables(tmp_path, ROTA_SERVER=ward.url, ROTA_TOKEN=ward.admin_token), tmp_path)


def orphan(data: Path, *, old: bool = True) -> Path:
    """A blob that belongs to nothing."""
    file = data / "blobs" / "zz" / "nobody-zz" / "log"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    if old:
        os.utime(file, (time.time() - ORPHAN_S - 60,) * 2)
    return file


def blob(data: Path) -> Path:
    """The one that there is."""
    [found] = (data / "blobs").glob("*/*/log")
    return found


def test_a_server_that_is_well_is_told_so_and_the_exit_code_is_0(here: Shell) -> None:
    done = here("doctor", "--deep")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("✓ nothing is out of the ordinary (databases, ")
    assert "digests" in done.stdout


def test_a_fault_is_named_with_what_to_do_and_the_exit_code_is_1(here: Shell, ward: Server) -> None:
    content = bytearray(blob(ward.data).read_bytes())
    content[77] ^= 1
    blob(ward.data).write_bytes(content)

    shallow, deep = here("doctor"), here("doctor", "--deep")

    assert shallow.returncode == 0
    assert deep.returncode == 1
    first, example, advice = deep.stdout.splitlines()
    assert first == "✗ blob-digest  Stored logs or artifacts with other bytes than were recorded: 1."
    assert example.strip() == f"{blob(ward.data).parent.name} log"
    assert "backup" in advice
    [finding] = here.json("doctor", "--deep")["findings"]
    assert (finding["code"], finding["level"], finding["count"]) == ("blob-digest", "fault", 1)


def test_what_is_safe_to_mend_is_mended_and_said(here: Shell, ward: Server) -> None:
    file = orphan(ward.data)

    named, mended, again = here("doctor"), here("doctor", "--fix"), here("doctor")

    assert (named.returncode, "· blob-without-row" in named.stdout) == (0, True)
    assert (mended.returncode, "✓ blob-without-row" in mended.stdout, "mended: 1" in mended.stdout) == (0, True, True)
    assert not file.exists()
    assert again.stdout.startswith("✓ nothing")


def test_a_clock_that_differs_from_the_servers_is_named(ward: Server, tmp_path: Path) -> None:
    code = "import time, sys; now = time.time; time.time = lambda: now() + 100\n"
    code += "from rota.cli.main import run; sys.exit(run(sys.argv[1:]))"
    shell = Shell(variables(tmp_path, ROTA_SERVER=ward.url, ROTA_TOKEN=ward.admin_token), tmp_path)
    plain = shell.command()
    shell.command = lambda *words: [plain[0], "-c", code, *words]  # type: ignore[method-assign]

    done = shell("doctor")

    assert (done.returncode, "✗ clocks-differ" in done.stdout, "100 s behind" in done.stdout) == (1, True, True)


def test_only_who_administers_the_whole_server_may(here: Shell, ward: Server) -> None:
    token = ward.token("admin")

    for words in (["doctor"], ["doctor", "--fix"], ["backup"], ["backup", "--list"]):
        done = here(*words, ROTA_TOKEN=token)
        assert (done.returncode, done.stdout) == (4, ""), done.stderr
        assert len(done.stderr.splitlines()) == 2


def test_a_folder_is_looked_over_where_no_server_runs(here: Shell, ward: Server) -> None:
    file = orphan(ward.data)
    words = ["doctor", "--data", str(ward.data), "--deep"]
    running = here(*words)
    assert (running.returncode, "Another server" in running.stderr) == (125, True)
    ward.stop()
    (ward.data / "gone.db.lock").touch()

    named, mended, again = here(*words), here(*words, "--fix"), here(*words)

    assert [line.split()[1] for line in named.stdout.splitlines() if line[0] != " "] == [
        "lock-left-behind", "blob-without-row",
    ]  # fmt: skip
    assert mended.stdout.count("✓ ") == 2
    assert not file.exists()
    assert not (ward.data / "gone.db.lock").exists()
    assert (again.returncode, again.stdout.startswith("✓ nothing")) == (0, True)
    blob(ward.data).write_bytes(LOG[:-1])
    assert (here(*words).returncode, "blob-size" in here(*words).stdout) == (1, True)
    ward.start()


@pytest.mark.parametrize(("change", "code", "exit_code"), [(-1, "schema-behind", 0), (1, "schema-ahead", 1)])
def test_a_schema_of_another_rota_is_named_and_left_alone(
    here: Shell, ward: Server, change: int, code: str, exit_code: int
) -> None:
    ward.stop()
    with contextlib.closing(apsw.Connection(str(ward.data / "rota.db"))) as connection:
        version = connection.pragma("user_version")
        assert isinstance(version, int)
        connection.pragma("user_version", version + change)

    done = here("doctor", "--data", str(ward.data), "--fix")

    assert (done.returncode, code in done.stdout) == (exit_code, True)
    with contextlib.closing(apsw.Connection(str(ward.data / "rota.db"))) as connection:
        assert connection.pragma("user_version") == version + change
        connection.pragma("user_version", version)
    ward.start()


def test_a_damaged_database_is_named(here: Shell, ward: Server) -> None:
    ward.stop()
    path = ward.data / "rota.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:20_000] + b"\x55" * 20_000 + whole[40_000:])

    done = here("doctor", "--data", str(ward.data), "--fix")

    assert (done.returncode, "✗ database-damaged" in done.stdout) == (1, True)
    path.write_bytes(whole)
    ward.start()


def test_a_folder_without_a_server_is_told_in_two_lines(nobody: Shell) -> None:
    for words in (["doctor", "--data", "."], ["backup", "--data", "."], ["restore", ".", "--data", "x"]):
        done = nobody(*words)
        assert done.returncode in {2, 125}
        assert done.stdout == ""
        assert 1 <= len(done.stderr.splitlines()) <= 2
        assert "Traceback" not in done.stderr


def test_a_backup_prints_where_it_is_and_becomes_a_server_again(here: Shell, ward: Server, tmp_path: Path) -> None:
    named, unnamed = here("backup", "before-upgrade"), here("backup")
    listed = here("backup", "--list").stdout
    shown = here.json("backup", "--list")["backups"]

    assert named.stdout == f"{ward.data}/backups/before-upgrade\n"
    assert "✓ whole" in named.stderr
    assert Path(unnamed.stdout.strip()).parent == ward.data / "backups"
    assert {one["state"] for one in shown} == {"whole"}
    assert "before-upgrade" in listed
    assert here("backup", "before-upgrade").returncode == 125
    done = here("restore", named.stdout.strip(), "--data", "again")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'again'}\n")
    assert f"rota server --data {tmp_path / 'again'}" in done.stderr
    again = Server(tmp_path / "again")
    try:
        assert again.admin_token == ward.admin_token
        assert here("logs", "last", ROTA_SERVER=again.url).stdout.encode() == LOG
    finally:
        again.stop()


@pytest.mark.parametrize(
    "words",
    [
        ["doctor", "--blobs", "x"],
        ["backup", "--blobs", "x"],
        ["backup", "--list", "x"],
        ["backup", "--list", "--data", "."],
    ],
)
def test_options_that_would_do_nothing_are_refused(nobody: Shell, words: list[str]) -> None:
    done = nobody(*words)

    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 2)


def test_a_path_is_no_name_for_a_backup_that_the_server_makes(here: Shell, tmp_path: Path) -> None:
    done = here("backup", str(tmp_path / "b"))

    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 2)
    assert "--data" in here("backup", "--help").stdout


def test_progress_is_said_from_the_first_second_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tell = progress(Output())

    for at_s, done_bytes in ((0.5, 1), (1.1, 2 * 10**6), (1.6, 3 * 10**6), (2.2, 10**7)):
        now = 100 + at_s
        tell(done_bytes, 10**7)

    assert capsys.readouterr().err == "   20 %   2.0 MB of 10.0 MB\n  100 %   10.0 MB of 10.0 MB\n"


def test_the_servers_setting_says_where_backups_are_made(tmp_path: Path) -> None:
    started = Server(tmp_path / "data", ROTA_BACKUPS=str(tmp_path / "elsewhere"))
    try:
        shell = Shell(variables(tmp_path, ROTA_SERVER=started.url, ROTA_TOKEN=started.admin_token), tmp_path)
        assert shell("backup", "one").stdout == f"{tmp_path / 'elsewhere' / 'one'}\n"
        assert not (started.data / "backups").exists()
    finally:
        started.stop()
