"""A session of a real process, recorded with its calls to the kernel, and replayed without a process or a kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pydbgserver.rsp.transcript import Mark
from pydbgserver.testing.client import Client, connect
from pydbgserver.transcripts.files import load
from tests.e2e import servers
from tests.programs import Programs

OURS = [sys.executable, "-m", "pydbgserver"]


def symbol(path: Path, name: str) -> int:
    listed = subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True, timeout=20).stdout
    return next(int(line.split()[0], 16) for line in listed.splitlines() if line.endswith(f" {name}"))


def entry_of(client: Client, path: Path) -> int:
    """Where the program is in memory: AT_ENTRY (9) of its auxiliary vector less its entry point."""
    auxv = client.request("qXfer:auxv:read::0,1000")[1:]
    words = [int.from_bytes(auxv[start : start + 8], "little") for start in range(0, len(auxv), 8)]
    return dict(zip(words[::2], words[1::2], strict=False))[9] - symbol(path, "_start")


def drive(client: Client, path: Path, style: str) -> None:
    """A breakpoint that is hit twice, steps, registers, memory, threads, a watchpoint; an interrupt; the end."""
    client.request("qSupported:multiprocess+;swbreak+" if style == "gdb" else "qSupported:xmlRegisters=i386;")
    base = entry_of(client, path)
    tick = base + symbol(path, "tick")
    client.request(f"Z0,{tick:x},1")
    for _ in range(2):
        client.send("vCont;c")
        assert client.wait_for_stop().startswith(b"T05")
        for body in ("g", f"m{tick:x},10", "qXfer:threads:read::0,1000", "qMemoryRegionInfo:" + f"{tick:x}", "p10"):
            assert client.request(body)
        client.send("vCont;s")
        client.wait_for_stop()
    client.request(f"z0,{tick:x},1")
    client.send("vCont;c")
    assert client.wait_for_stop().startswith(b"W00")


def replayed(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*OURS, "replay", str(path), "--kernel"],
        capture_output=True, text=True, timeout=60, env=servers.server_environment(),
    )  # fmt: skip


@pytest.fixture(params=["gdb", "lldb"])
def recording(request: pytest.FixtureRequest, program: Programs, tmp_path: Path) -> Path:
    style, path, transcript = request.param, tmp_path / "loop", tmp_path / "session.rsp"
    path.write_bytes(program("loop").read_bytes())
    path.chmod(0o755)
    command = [*OURS, *(["gdbserver"] if style == "lldb" else [])]
    options = ["--record", str(transcript), "--record-level", "kernel"]
    server = servers.start_server(style, [path], options=options, command=command)
    try:
        with connect("127.0.0.1", server.port) as client:
            drive(client, path, style)
        assert servers.ended_within(server.process, servers.WAIT)
    finally:
        server.close()
    # Nothing of what was debugged is left.
    path.unlink()
    return transcript


def test_the_same_packets_without_a_kernel(recording: Path) -> None:
    lines = load(str(recording)).lines
    assert sum(line.mark is Mark.KERNEL for line in lines) > 30
    replies = sum(line.mark is Mark.TO_CLIENT for line in lines)
    said = replayed(recording)
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"{replies} replies compared, no differences" in said.stdout


def test_another_answer_of_the_kernel_is_another_reply(recording: Path) -> None:
    text = recording.read_text()
    where = next(line for line in text.splitlines() if "linux_read_memory" in line and ",16] 16 " in line)
    digits = where.partition('{"2":"')[2]
    recording.write_text(text.replace(digits, f"{(int(digits[:2], 16) ^ 1):02x}{digits[2:]}", 1))
    said = replayed(recording)
    assert said.returncode == 1
    assert "not the same bytes" in said.stdout


def test_another_call_is_told_with_its_line(recording: Path) -> None:
    lines = recording.read_text().splitlines(keepends=True)
    number = next(index for index, line in enumerate(lines) if "k> linux_insert_trap" in line)
    recording.write_text("".join(line.replace(',"cc",', ',"90",') if "insert_trap" in line else line for line in lines))
    said = replayed(recording)
    assert said.returncode == 1
    assert "the backend calls linux_insert_trap" in said.stdout
    assert f"the recording goes on at line {number + 1}: linux_insert_trap" in said.stdout


def test_what_is_no_recording_of_the_kernel(tmp_path: Path) -> None:
    plain, broken = tmp_path / "plain.rsp", tmp_path / "broken.rsp"
    plain.write_text("pydbgserver transcript 1\ncommand: :0 x\n\n0.000000 <- qC\n")
    broken.write_text("pydbgserver transcript 1\ncommand: :0 x\n\n0.000000 <- qC\n0.000001 k> linux_wait 1\n")
    for path, why in ((plain, f"{plain}: recorded without calls to the kernel"), (broken, f"{broken}:5: not a call")):
        said = replayed(path)
        assert (said.returncode, said.stdout) == (2, "")
        assert why in said.stderr
