"""What goes into a job's folder and what comes out of it. Source: protocol.md, "Spec"; threats.md, T7, T12."""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from worker.fake_server import FakeServer
from worker.rig import MakeWorker, WorkerProcess, eventually


def _artifacts(report: dict[str, Any]) -> dict[str, bytes]:
    return {one["path"]: base64.b64decode(one["inline"]) for one in report["artifacts"]}


def left_in(worker: WorkerProcess) -> list[str]:
    """Folders of attempts; spare ones, which are empty, left out."""
    jobs = worker.work_dir / "jobs"
    spare = [folder for folder in jobs.iterdir() if folder.name.startswith(".spare-")]
    assert all([path.name for path in folder.rglob("*")] == ["work"] for folder in spare)
    return [folder.name for folder in jobs.iterdir() if folder not in spare]


def _problems(report: dict[str, Any]) -> dict[str, str]:
    return {one.get("path", one["what"]): one["message"] for one in report.get("problems", [])}


async def test_a_job_sees_five_names_of_the_workers_environment_and_its_own(
    server: FakeServer, make_worker: MakeWorker
) -> None:
    worker = make_worker()
    worker.environment |= {"ROTA_TOKEN": "secret", "LC_ALL": "C", "TZ": "UTC", "TMPDIR": "/var", "HOME": "/nowhere"}
    worker.start()
    attempt = server.offer("env", env={"MINE": "yes", "ROTA_JOB_ID": "forged"})

    await server.report(attempt)

    seen = dict(line.split("=", 1) for line in server.log_of(attempt).decode().splitlines())
    assert set(seen) - {"LANG"} == {
        "PATH",
        "HOME",
        "TZ",
        "TMPDIR",
        "MINE",
        "ROTA_JOB_ID",
        "ROTA_ATTEMPT",
        "ROTA_RESULT",
    }
    assert (seen["ROTA_JOB_ID"], seen["ROTA_ATTEMPT"], seen["HOME"]) == ("job-1", "1", "/nowhere")


async def test_a_job_cannot_read_the_workers_token_from_the_shepherd(
    server: FakeServer, make_worker: MakeWorker
) -> None:
    worker = make_worker()
    worker.environment |= {"ROTA_TOKEN": "secret-of-the-worker"}
    worker.start()
    attempt = server.offer("sh", "-c", "tr '\\0' '\\n' < /proc/$PPID/environ")

    await server.report(attempt)

    assert b"secret-of-the-worker" not in server.log_of(attempt)


async def test_the_folder_is_private_and_gone_when_its_end_was_received(
    server: FakeServer, worker: WorkerProcess
) -> None:
    attempt = server.offer(script="pwd; stat -c %a .. ; mkdir -p a/b; echo x > a/b/c; ln -s /etc a/etc; chmod 0 a/b")

    await server.report(attempt)

    folder, mode = server.log_of(attempt).decode().split()
    assert (folder, mode) == (str(worker.work_dir / "jobs" / attempt / "work"), "700")
    await eventually(lambda: left_in(worker) == [])


async def test_inputs_are_in_place_before_the_start(server: FakeServer, worker: WorkerProcess) -> None:
    large = os.urandom(700_000)
    attempt = server.offer(script="cat data/small; sha256sum < data/deep/large", files={
        "data/small": b"hello\n", "data/deep/large": large,
    })  # fmt: skip

    await server.report(attempt)

    assert server.log_of(attempt).decode().split()[:2] == ["hello", hashlib.sha256(large).hexdigest()]


@pytest.mark.parametrize("wrong", [b"HELLO", b"hell", b"hello, world"])
async def test_an_input_that_is_not_what_was_submitted_starts_nothing(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path, wrong: bytes
) -> None:
    attempt = server.offer("touch", str(tmp_path / "started"), files={"in.txt": b"hello"})
    server.inputs[attempt, "in.txt"] = wrong

    result = (await server.report(attempt))["result"]

    assert result["reason"] == "not_started"
    assert "in.txt" in result["message"]
    assert not (tmp_path / "started").exists()


async def test_artifacts_are_what_the_globs_match(server: FakeServer, worker: WorkerProcess) -> None:
    files = "a.txt out/b.txt out/.hidden out/deep/er/c.txt sub/d.log sub/e.txt"
    script = f"mkdir -p out/deep/er sub; for f in {files}; do echo $f > $f; done"
    attempt = server.offer(script=script, artifacts=["*.txt", "out/**", "sub/d.log"])

    report = await server.report(attempt)

    assert set(_artifacts(report)) == {"a.txt", "out/b.txt", "out/.hidden", "out/deep/er/c.txt", "sub/d.log"}
    assert _artifacts(report)["out/b.txt"] == b"out/b.txt\n"
    assert _problems(report) == {}


async def test_links_that_leave_are_refused_and_those_that_stay_are_followed(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    """Source: guarantees.md, F39."""
    (tmp_path / "outside").write_text("host's own")
    script = f"""
        mkdir -p d; echo inside > d/file
        ln -s d/file stays; ln -s $PWD/d/file stays-absolute; ln -s ../d/file d/stays-up; ln -s d into
        ln -s {tmp_path}/outside leaves; ln -s ../../../../../../..{tmp_path}/outside leaves-relative
        ln -s /proc/self/root/{tmp_path}/outside magic; ln -s {tmp_path} out; ln -s turns turns; ln -s nowhere dangling
    """
    patterns = ["*", "d/*", "into/file", "out/outside"]
    report = await server.report(server.offer(script=script, artifacts=patterns))

    whole = {"d/file", "stays", "stays-absolute", "d/stays-up", "into/file"}
    assert set(_artifacts(report)) == whole
    assert set(_artifacts(report).values()) == {b"inside\n"}
    refused = _problems(report)
    assert set(refused) == {"leaves", "leaves-relative", "magic", "out", "out/outside", "turns", "dangling", "into"}
    assert "leads out" in refused["leaves"]
    assert report["result"]["exit_code"] == 0


async def test_fifos_and_folders_are_refused_without_waiting(server: FakeServer, worker: WorkerProcess) -> None:
    """Source: guarantees.md, F39."""
    script = "mkfifo pipe; mkdir folder; echo x > ok; mkdir sub; mkfifo sub/pipe"
    artifacts = ["pipe", "folder", "ok", "sub/*", "none", "no*such"]
    report = await server.report(server.offer(script=script, artifacts=artifacts), within_s=5)

    assert set(_artifacts(report)) == {"ok"}
    refused = _problems(report)
    assert set(refused) == {"pipe", "folder", "sub/pipe", "none", "no*such"}
    assert refused["pipe"] == "is a FIFO, not a regular file"
    assert report["result"]["exit_code"] == 0


async def test_a_name_that_is_not_utf8_is_told_and_the_others_come(server: FakeServer, worker: WorkerProcess) -> None:
    """Source: guarantees.md, F38."""
    script = "printf x > \"$(printf 'bad\\377')\"; printf y > 'new\nline'; printf z > 'ünïcode'; : > empty"
    report = await server.report(server.offer(script=script, artifacts=["**"]))

    assert _artifacts(report) == {"new\nline": b"y", "ünïcode": b"z", "empty": b""}
    assert len(_problems(report)) == 1


async def test_a_large_artifact_is_uploaded_before_the_end_is_told(server: FakeServer, worker: WorkerProcess) -> None:
    """Source: guarantees.md, F38."""
    script = "head -c 3000000 /dev/urandom > big; sha256sum < big; chmod 750 big"
    attempt = server.offer(script=script, artifacts=["big"])

    report = await server.report(attempt)

    [big] = report["artifacts"]
    stored = bytes(server.uploads[attempt, "big"])
    assert big == {"path": "big", "size_bytes": 3_000_000, "sha256": hashlib.sha256(stored).hexdigest(), "mode": 0o750}
    assert server.log_of(attempt).decode().split()[0] == big["sha256"]


async def test_an_upload_that_is_cut_goes_on_where_it_stopped(server: FakeServer, worker: WorkerProcess) -> None:
    """Source: guarantees.md, F37."""
    cut: list[int] = []

    async def cut_once(request: Any, body: bytes) -> None:  # noqa: ANN401
        if int(request.headers["Upload-Offset"]) > 0 and not cut:
            cut.append(1)
            stored = server.uploads[request.match_info["attempt"], request.match_info["what"]]
            stored += body[:1000]
            request.transport.abort()

    server.override["upload"] = cut_once
    attempt = server.offer(script="head -c 3000000 /dev/urandom > big", artifacts=["big"])

    [big] = (await server.report(attempt))["artifacts"]

    assert cut
    assert hashlib.sha256(server.uploads[attempt, "big"]).hexdigest() == big["sha256"]
    assert len(server.uploads[attempt, "big"]) == 3_000_000


async def test_an_artifact_over_the_workers_limit_is_left_out(server: FakeServer, make_worker: MakeWorker) -> None:
    make_worker(artifact_size_bytes_max=1000, artifacts_max=2).start()
    script = "head -c 1001 /dev/zero > big; for i in 1 2 3; do echo $i > small-$i; done"
    report = await server.report(server.offer(script=script, artifacts=["*"]))

    assert set(_artifacts(report)) == {"small-1", "small-2"}
    assert set(_problems(report)) == {"big", "small-3"}


RESULTS = {
    "an object": ('{"a": [1, null]}', {"a": [1, None]}, None),
    "no JSON": ("{", None, "is not JSON"),
    "NaN": ("NaN", None, "is not JSON"),
    "empty": ("", None, "is not JSON"),
    "too large": ('"' + "x" * 70_000 + '"', None, "at most 65536 bytes"),
    "deep": ("[" * 30_000, None, "is not JSON"),
}


@pytest.mark.parametrize(("text", "value", "problem"), RESULTS.values(), ids=RESULTS.keys())
async def test_the_json_in_the_result_file_is_the_value(
    server: FakeServer, worker: WorkerProcess, text: str, value: object, problem: str | None
) -> None:
    attempt = server.offer(script='cat in > "$ROTA_RESULT"', files={"in": text.encode()})

    report = await server.report(attempt)

    assert report["result"]["value"] == value
    assert report["result"]["exit_code"] == 0
    assert (problem or "") in _problems(report).get("result", "")
    assert bool(problem) == ("result" in _problems(report))


async def test_a_result_that_is_a_fifo_or_a_link_is_refused(server: FakeServer, worker: WorkerProcess) -> None:
    fifo = server.offer(script='mkfifo "$ROTA_RESULT"')
    link = server.offer(script='ln -s /etc/hostname "$ROTA_RESULT"')

    assert "result" in _problems(await server.report(fifo, within_s=5))
    assert "result" in _problems(await server.report(link))


async def test_a_folder_that_cannot_be_removed_does_not_stop_the_worker(
    server: FakeServer, worker: WorkerProcess, tmp_path: Path
) -> None:
    """A job puts a link in its folder's place: the link goes, what it leads to stays. Source: guarantees.md, F45."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("stays")
    attempt = server.offer(script=f"d=$(dirname $PWD); cd /; rm -rf $d; ln -s {tmp_path}/precious $d")

    await server.report(attempt)
    await server.report(server.offer("true"))

    await eventually(lambda: left_in(worker) == [])
    assert (tmp_path / "precious" / "file").read_text() == "stays"


async def test_a_spare_folder_is_as_a_new_one(server: FakeServer, make_worker: MakeWorker) -> None:
    worker = make_worker(slots=1).start()
    scripts = ["chmod 777 .", "echo left > ../aside", "chmod 755 ..", "echo x > .hidden", "mkdir -m 0 locked", "true"]
    for script in scripts:
        await server.report(server.offer(script=script))
        look = server.offer(
            script="pwd; stat -c %a . ..; ls -A . .. | grep -vx log"
        )  # a log is there once it has bytes
        await server.report(look)
        expected = f"{worker.work_dir}/jobs/{look}/work\n700\n700\n.:\n\n..:\nscript\nwork\n"
        assert server.log_of(look).decode() == expected
