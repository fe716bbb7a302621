"""Recording, replaying and looking, by the command line and with real clients and servers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pydbgserver.testing.client import Client as RspClient
from pydbgserver.testing.client import connect
from pydbgserver.transcripts.files import load
from pydbgserver.transcripts.html import page
from tests.e2e import servers
from tests.e2e.clients import GDB, LLDB, Client, ClientKind
from tests.e2e.conftest import require_client
from tests.programs import Programs

OURS = [sys.executable, "-m", "pydbgserver"]
CORPUS = Path(__file__).parents[1] / "transcripts" / "corpus"


def ours(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*OURS, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env=servers.server_environment(),
    )


def listening(*arguments: str | Path) -> servers.Server:
    return servers._port_on_stderr([*OURS, *map(str, arguments)])


def test_a_gdb_session_with_gdbserver_through_the_proxy_and_then_against_ours(
    program: Programs, tmp_path: Path
) -> None:
    require_client("gdb")
    path, transcript = program("loop"), tmp_path / "session.rsp"
    target = servers._port_on_stderr([servers.find(["gdbserver"]) or "gdbserver", "--once", "127.0.0.1:0", str(path)])
    proxy = listening("proxy", "127.0.0.1:0", f"127.0.0.1:{target.port}", "--record", transcript)
    client = Client(GDB, servers.find(GDB.executables) or "gdb", tmp_path, path)
    try:
        client.command("set sysroot /")
        client.command(GDB.connect.format(port=proxy.port))
        client.command("break tick")
        assert "tick (i=0)" in client.command("continue")
        client.command("kill")
        assert servers.ended_within(proxy.process, servers.WAIT)
    finally:
        client.close()
        proxy.close()
        target.close()
    recorded = load(str(transcript))
    assert len(recorded.lines) > 100
    assert recorded.header == {"recorded": "by proxy", "client": "gdb"}
    server = servers.start_server("gdb", [path], command=OURS)
    try:
        said = ours("replay", transcript, "--server", f"127.0.0.1:{server.port}")
    finally:
        server.close()
    assert said.returncode == 1, said.stderr
    assert said.stdout.startswith(f"first difference: {transcript}:")
    assert "missing: " in said.stdout, "the features of gdbserver that we have not"
    assert "+-> " in said.stdout
    assert " replies compared, " in said.stdout


@pytest.mark.parametrize(
    ("kind", "before", "stop", "then"),
    [
        (GDB, "break main", "Breakpoint 1, main", ("next", "step", "stepi", "next")),
        (LLDB, "breakpoint set -n main", "stop reason = breakpoint 1.1", ("next", "step", "stepi", "next")),
    ],
    ids=["gdb", "lldb"],
)
def test_a_client_debugs_a_recording(
    kind: ClientKind, before: str, stop: str, then: tuple[str, ...], program: Programs, tmp_path: Path
) -> None:
    """There is no target: what the client sees comes from the file."""
    require_client(kind.name)
    if kind is GDB and os.environ.get("PYDBGSERVER_E2E_GDB"):
        pytest.skip("the recording is one of Debian's gdb 13; another gdb asks for other things")
    server = listening("replay", CORPUS / f"{kind.name}-pydbgserver-step.rsp", "--client", "127.0.0.1:0")
    client = Client(kind, servers.find(kind.executables) or kind.name, tmp_path, program("loop"))
    try:
        if kind is GDB:
            client.command("set sysroot /")
        client.command(kind.connect.format(port=server.port))
        client.command(before)
        assert stop in client.command("continue")
        said = [client.command(line) for line in then]
        assert "ready" in said[1]
        client.command("kill" if kind is GDB else "process kill")
    finally:
        client.close()
    try:
        assert servers.ended_within(server.process, servers.WAIT), "a client that goes ends the replay"
    finally:
        server.close()


def test_record_in_both_styles(program: Programs, tmp_path: Path) -> None:
    for style, telling in (("gdb", b"vMustReplyEmpty"), ("lldb", b"qHostInfo")):
        transcript = tmp_path / f"{style}.rsp"
        command = [*OURS, *(["gdbserver"] if style == "lldb" else [])]
        server = servers.start_server(style, [program("loop")], options=["--record", str(transcript)], command=command)
        try:
            with connect("127.0.0.1", server.port) as client:
                current = client.request("qC")
                client.request(telling)
                client.send("k")
            assert servers.ended_within(server.process, servers.WAIT)
        finally:
            server.close()
        recorded = load(str(transcript))
        assert [line.text for line in recorded.lines[2:5]] == [
            "<- qC",
            f"-> {current.decode()}",
            f"<- {telling.decode()}",
        ]
        assert recorded.lines[6].text == "<- k"
        header = recorded.header
        assert (header["arch"], header["endian"], header["client"]) == ("i386:x86-64", "little", style)
        assert header["program"] == str(program("loop"))


def test_what_cannot_be_read(tmp_path: Path) -> None:
    bad = tmp_path / "bad.rsp"
    bad.write_text("pydbgserver transcript 1\n\n0.000000 <- qC\nnonsense\n")
    for arguments in (("show", bad), ("replay", bad, "--server", "127.0.0.1:1"), ("replay", bad, "--client", ":0")):
        said = ours(*arguments)
        assert (said.returncode, said.stdout) == (2, "")
        assert f"{bad}:4: not a line of a transcript" in said.stderr


def test_a_rule_or_a_body_that_cannot_be_read_is_told_with_its_line_and_nothing_is_sent(tmp_path: Path) -> None:
    head = "pydbgserver transcript 1\nserver: toy\n"
    rule, body = tmp_path / "rule.rsp", tmp_path / "body.rsp"
    rule.write_text(f"{head}match: m form\nmatch: m nonsense\n\n0.000000 <- qC\n")
    body.write_text(f"{head}\n0.000000 <- qC\n0.000001 -> @{'0' * 24}:5000\n")
    for path, why in ((rule, f"{rule}:4: 'match: m nonsense'"), (body, f"{body}:5: the body is in the side file")):
        # Nobody listens on port 1: a replay that got so far would say so.
        said = ours("replay", path, "--server", "127.0.0.1:1")
        assert (said.returncode, said.stdout) == (2, "")
        assert why in said.stderr


def test_a_server_that_hangs_up_and_a_client_that_does(tmp_path: Path) -> None:
    good = tmp_path / "good.rsp"
    good.write_text("pydbgserver transcript 1\n\n0.000000 <- qC\n0.000001 -> QC1\n0.000002 <- c\n0.000003 -> S05\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        replay = subprocess.Popen(
            [*OURS, "replay", str(good), "--server", f"127.0.0.1:{listener.getsockname()[1]}"],
            stdout=subprocess.PIPE, text=True, env=servers.server_environment(),
        )  # fmt: skip
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(100) == b"$qC#b4"
            connection.sendall(b"+$QC1#c5")
        said, _ = replay.communicate(timeout=30)
    assert replay.returncode == 1
    assert re.search(rf"{good}:[56]: the server has hung up", said)
    server = listening("replay", good, "--client", "127.0.0.1:0")
    try:
        with connect("127.0.0.1", server.port, no_ack=False) as client:
            assert client.request("qC") == b"QC1"
        assert servers.ended_within(server.process, servers.WAIT)
        server.read_available(servers.WAIT)
        assert f"{good}:3: the client has gone; the recording goes on" in server.output
    finally:
        server.close()


def hung_up(connection: socket.socket) -> bool:
    """Whether the other side ends it; an acknowledgement may come before."""
    try:
        return connection.recv(100) == b"" or connection.recv(100) == b""
    except ConnectionResetError:
        return True


@dataclass(frozen=True)
class Sides:
    """A proxy in the middle: a client that has asked qC, a server that has read it."""

    proxy: servers.Server
    client: RspClient
    server: socket.socket


@contextmanager
def both_sides(transcript: Path) -> Iterator[Sides]:
    """Afterwards the proxy has ended by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        proxy = listening("proxy", "127.0.0.1:0", target, "--record", transcript)
        try:
            with listener.accept()[0] as server, connect("127.0.0.1", proxy.port, no_ack=False) as client:
                server.settimeout(servers.WAIT)
                client.send("qC")
                assert server.recv(100) == b"$qC#b4"
                yield Sides(proxy, client, server)
            assert servers.ended_within(proxy.process, servers.WAIT)
        finally:
            proxy.close()


@pytest.mark.parametrize("first", ["client", "server"])
def test_a_proxy_whose_one_side_dies_closes_the_other_and_keeps_the_file(first: str, tmp_path: Path) -> None:
    transcript = tmp_path / "session.rsp"
    with both_sides(transcript) as sides:
        sides.server.sendall(b"+$QC1#c5")
        assert sides.client.receive() == b"QC1"
        ends = [sides.client.connection, sides.server]
        dying, left = ends if first == "client" else reversed(ends)
        # A reset, as of a process that was killed.
        dying.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        dying.close()
        assert hung_up(left)
    assert sides.proxy.process.returncode == 0
    gone = "<." if first == "client" else ".>"
    assert [line.text for line in load(str(transcript)).lines] == ["<- qC", "-> QC1", gone]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_proxy_that_is_told_to_end_closes_both_sides_and_the_file(number: signal.Signals, tmp_path: Path) -> None:
    transcript = tmp_path / "session.rsp"
    with both_sides(transcript) as sides:
        sides.proxy.process.send_signal(number)
        assert hung_up(sides.server)
        assert hung_up(sides.client.connection)
    assert sides.proxy.process.returncode == 0
    assert "Traceback" not in sides.proxy.output
    assert transcript.read_bytes().endswith(b" <- qC\n")


def test_what_serves_a_recording_ends_when_it_is_told_to(tmp_path: Path) -> None:
    good = tmp_path / "good.rsp"
    good.write_text("pydbgserver transcript 1\n\n0.000000 <- qC\n0.000001 -> QC1\n0.000002 <- c\n0.000003 -> S05\n")
    server = listening("replay", good, "--client", "127.0.0.1:0")
    try:
        with connect("127.0.0.1", server.port, no_ack=False) as client:
            assert client.request("qC") == b"QC1"
            server.process.send_signal(signal.SIGINT)
            assert hung_up(client.connection)
        assert servers.ended_within(server.process, servers.WAIT)
    finally:
        server.close()
    assert server.process.returncode == 0
    assert "Traceback" not in server.output


def test_nobody_there(tmp_path: Path) -> None:
    good = tmp_path / "good.rsp"
    good.write_text("pydbgserver transcript 1\n\n0.000000 <- qC\n")
    said = ours("replay", good, "--server", str(tmp_path / "no-socket"))
    assert said.returncode == 1
    assert "Can't connect" in said.stderr


def test_show() -> None:
    path = CORPUS / "gdb-gdbserver-breakpoints.rsp"
    said = ours("show", path)
    assert said.returncode == 0, said.stderr
    assert "stopped: thread" in said.stdout
    assert "hit a breakpoint" in said.stdout
    only = ours("show", path, "--packet", "Z0").stdout.splitlines()
    assert only
    assert all("insert a breakpoint" in line or "-> done" in line for line in only)
    colored = ours("show", path, "--color", "always").stdout
    assert "\x1b[" in colored
    statistics = ours("show", path, "--stats").stdout
    assert "slowest packets" in statistics


def test_show_a_whole_folder(tmp_path: Path) -> None:
    """What cannot be read is told, and hides nothing of the rest."""
    files = sorted(CORPUS.glob("*.rsp"))
    bad = tmp_path / "bad.rsp"
    bad.write_text("nonsense\n")
    said = ours("show", files[0], bad, *files[1:])
    assert said.returncode == 2
    assert said.stderr.startswith(f"{bad}:1: not a transcript")
    assert said.stderr.count("\n") == 1
    lines = said.stdout.splitlines()
    assert [line for line in lines if line.endswith(".rsp:")] == [f"{path}:" for path in files]
    assert len(lines) == len(files) + sum(len(load(str(path)).lines) for path in files)
    refused = ours("show", *files[:2], "--html", tmp_path / "page.html")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "show --html takes one FILE" in refused.stderr


@pytest.mark.timeout(300)  # A browser is a dozen processes, and the machine may be busy.
def test_the_page_of_a_long_session(tmp_path: Path) -> None:
    """Fifty thousand lines: there are shapes for the columns of pixels and rows for what can be seen, and no more."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("chromium is not installed: scripts/test installs it")
    lines = ["pydbgserver transcript 1", ""]
    for number in range(12_500):
        start = number * 400
        bodies = (f"<- m{number:x},4", "-> 00112233", "<- vCont;c", f"-> T05thread:{number % 5 + 1:x};")
        times = range(start, start + 400, 100)
        lines += [f"{time // 10**6}.{time % 10**6:06d} {body}" for time, body in zip(times, bodies, strict=True)]
    transcript, file = tmp_path / "long.rsp", tmp_path / "long.html"
    transcript.write_text("\n".join(lines) + "\n")
    assert ours("show", transcript, "--html", file).returncode == 0
    count = """<script>
        document.getElementById("list").scrollTop = 19 * 40000; drawRows();
        document.body.dataset.shapes = document.querySelectorAll("svg rect").length;
        document.body.dataset.rows = document.querySelectorAll(".row").length;
        document.body.dataset.seen = document.querySelector(".row .time").textContent;
    </script>"""
    file.write_text(file.read_text().replace("</body>", f"{count}</body>"))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    said = subprocess.run([*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=250).stdout
    told = {name: said.partition(f'data-{name}="')[2].partition('"')[0] for name in ("shapes", "rows", "seen")}
    assert int(told["shapes"]) < 8_000
    assert 0 < int(told["rows"]) < 60
    assert 3.9 < float(told["seen"]) < 4.1


@pytest.mark.timeout(300)
def test_the_page_in_a_browser(tmp_path: Path) -> None:
    """A script that is added to the page clicks through it; the browser gives what has become of it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("chromium is not installed: scripts/test installs it")
    clicks = """<script>
        const told = document.body.dataset;
        document.querySelectorAll("#timeline .run")[1].dispatchEvent(new Event("click"));
        told.run = document.getElementById("detail").textContent;
        told.bars = document.querySelectorAll("#timeline .packet").length;
        document.getElementById("timeline").dispatchEvent(new WheelEvent("wheel", {deltaY: -1, clientX: 600}));
        told.zoomed = document.querySelectorAll("#timeline .packet").length;
        document.getElementById("timeline").dispatchEvent(new Event("dblclick"));
        document.querySelector("#stops tr").click();
        told.stop = document.getElementById("detail").textContent;
        const box = document.getElementById("search");
        box.value = "insert a breakpoint"; box.dispatchEvent(new Event("input"));
        told.count = document.getElementById("count").textContent;
        document.querySelector(".row").click();
    </script>"""
    file = tmp_path / "page.html"
    whole = page(load(str(CORPUS / "gdb-gdbserver-breakpoints.rsp")))
    assert "http" not in whole.replace("http://www.w3.org/2000/svg", ""), "nothing is fetched"
    file.write_text(whole.replace("</body>", f"{clicks}</body>"))
    screenshot = tmp_path / "page.png"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    said = subprocess.run([*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=120).stdout
    assert 'data-ready="yes"' in said
    assert "vCont;" in said.partition('data-run="')[2].partition('"')[0]
    assert said.partition('data-count="')[2].split(" of ")[0] not in ("", "0")
    told = {name: said.partition(f'data-{name}="')[2].partition('"')[0] for name in ("bars", "zoomed", "stop")}
    assert 0 < int(told["zoomed"]) < int(told["bars"])
    assert "stopped: thread" in told["stop"]
    assert "Z0," in said.partition('id="detail"')[2][:300]
    subprocess.run(
        [*command, f"--screenshot={screenshot}", file.as_uri()], capture_output=True, timeout=120, check=True
    )
    assert screenshot.read_bytes().startswith(b"\x89PNG")
