"""The command lines: every option of gdbserver's and lldb-server's, as a table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pydbgserver.cli import arguments
from pydbgserver.cli.comm import parse_comm, parse_lldb
from pydbgserver.cli.lldb import LOG_CHANNELS_VARIABLE, LOG_FILE_VARIABLE
from pydbgserver.cli.words import CHANNELS
from pydbgserver.errors import UsageError
from pydbgserver.options import ABSTRACT, DESCRIPTOR, SERIAL, STDIO, TCP, UNIX, Answer, Endpoint, Options

PORT = Endpoint(kind=TCP, port=1234)


def options(line: str) -> Options:
    parsed = arguments.parse(line.split())
    assert isinstance(parsed, Options)
    return parsed


def answer(line: str) -> Answer:
    parsed = arguments.parse(line.split())
    assert isinstance(parsed, Answer)
    return parsed


GDBSERVER_LINES: dict[str, dict[str, object]] = {
    ":1234 prog": {"endpoint": PORT, "program": ("prog",), "style": "gdb", "through_shell": True},
    ":1234 prog -x --once": {"program": ("prog", "-x", "--once"), "once": False},
    "- prog": {"endpoint": Endpoint(kind=STDIO)},
    "stdio prog": {"endpoint": Endpoint(kind=STDIO)},
    "--attach :1234 4711": {"attach": "4711", "program": ()},
    "--multi :1234": {"multi": True, "program": ()},
    "--multi :1234 prog": {"multi": True, "program": ("prog",)},
    "--once :1234 prog": {"once": True},
    "--wrapper env A=1 -- :1234 prog": {"wrapper": ("env", "A=1"), "program": ("prog",)},
    "--startup-with-shell :1234 prog": {"through_shell": True},
    "--no-startup-with-shell :1234 prog": {"through_shell": False},
    "--disable-randomization :1234 prog": {"disable_aslr": True},
    "--no-disable-randomization :1234 prog": {"disable_aslr": False},
    "--debug :1234 prog": {"log_channels": CHANNELS},
    "--remote-debug :1234 prog": {"log_channels": ("packets",)},
    "--event-loop-debug :1234 prog": {"log_channels": ("events",)},
    "--remote-debug --event-loop-debug :1234 prog": {"log_channels": ("packets", "events")},
    "--debug-format=timestamp :1234 prog": {"log_timestamps": True},
    "--debug-format=all :1234 prog": {"log_timestamps": True},
    "--debug-format=none :1234 prog": {"log_timestamps": False},
    "--debug-file=/tmp/f :1234 prog": {"log_file": "/tmp/f"},
    "--log-file /tmp/f :1234 prog": {"log_file": "/tmp/f"},
    "--log-channels packets,ptrace :1234 prog": {"log_channels": ("packets", "ptrace")},
    "--log-channels=breakpoints :1234 prog": {"log_channels": ("breakpoints",)},
    "--disable-packet=vCont,qC :1234 prog": {"disabled_packets": frozenset({"vCont", "qC"})},
    "--disable-packet=T --disable-packet=threads :1 p": {"disabled_packets": frozenset({"T", "threads"})},
    "--on-disconnect=kill :1234 prog": {"on_disconnect": "kill"},
    "--on-disconnect detach :1234 prog": {"on_disconnect": "detach"},
}

LLDB_LINES: dict[str, dict[str, object]] = {
    "gdbserver :1234": {"endpoint": PORT, "style": "lldb", "once": True, "program": ()},
    "g :1234 prog a": {"program": ("prog", "a"), "through_shell": False},
    "gdbserver :1234 -- prog --x": {"program": ("prog", "--x")},
    "gdbserver :1234 prog -- --x": {"program": ("prog", "--x")},
    "gdbserver --attach 12 :1234": {"attach": "12"},
    "gdbserver :1234 --attach=name": {"attach": "name"},
    "gdbserver --fd=7 --native-regs --setsid": {
        "endpoint": Endpoint(kind=DESCRIPTOR, descriptor=7),
        "new_session": True,
    },
    "gdbserver -fd 7 -- prog": {"endpoint": Endpoint(kind=DESCRIPTOR, descriptor=7), "program": ("prog",)},
    "gdbserver tcp://[127.0.0.1]:0 --native-regs --pipe 6": {
        "endpoint": Endpoint(kind=TCP, host="127.0.0.1"),
        "port_descriptor": 6,
    },
    "gdbserver :0 -pipe=6": {"port_descriptor": 6},
    "gdbserver :0 --named-pipe /tmp/p": {"port_path": "/tmp/p"},
    "gdbserver --reverse-connect h:1234": {"endpoint": Endpoint(kind=TCP, host="h", port=1234, connect=True)},
    "gdbserver h:1234 --reverse-connect": {"endpoint": Endpoint(kind=TCP, host="h", port=1234, connect=True)},
    "gdbserver -S :1": {"new_session": True},
    "gdbserver --log-file=/tmp/f :1": {"log_file": "/tmp/f"},
    "gdbserver --log-channels packets :1": {"log_channels": ("packets",)},
    "gdbserver --on-disconnect=kill :1": {"on_disconnect": "kill"},
}


@pytest.mark.parametrize(("line", "settings"), [*GDBSERVER_LINES.items(), *LLDB_LINES.items()])
def test_a_line_gives_these_settings(line: str, settings: dict[str, object]) -> None:
    parsed = options(line)
    assert {name: getattr(parsed, name) for name in settings} == settings


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--foo :1 prog", "Unknown argument: --foo"),
        ("--once=1 :1 prog", "Unknown argument: --once=1"),
        ("", "COMM is missing"),
        (":1234", "PROG is missing"),
        ("--attach :1234", "--attach takes"),
        ("--attach :1234 abc", "--attach takes"),
        ("--attach :1234 1 2", "--attach takes"),
        ("--multi", "COMM is missing"),
        ("--wrapper env :1 prog", "followed by --"),
        ("--wrapper -- :1 prog", "followed by --"),
        ("--disable-packet=foo :1 prog", 'Don\'t know how to disable "foo".'),
        ("--debug-format=foo :1 prog", 'Unknown debug-format argument: "foo"'),
        ("--log-channels=foo :1 prog", "no log channel foo"),
        ("--log-file", "--log-file: missing argument"),
        ("--on-disconnect=eat :1 prog", "--on-disconnect takes"),
        ("gdbserver", "no connection arguments"),
        ("gdbserver --foo :1", "unknown argument '--foo'"),
        ("gdbserver :1 prog --foo", "unknown argument '--foo'"),
        ("gdbserver :0 --pipe", "pipe: missing argument"),
        ("gdbserver :0 --pipe x", "x is not a number"),
        ("gdbserver --reverse-connect :0", "a port to connect to"),
        ("platform", "--listen is needed"),
        ("platform --server :1234", "--listen is needed"),
        ("platform --listen :1234 -Px", "x is not a number"),
        ("platform --listen connect://host:1234", "listens on a port or a socket"),
        ("platform --listen :1234 --gdbserver-port x", "x is not a number"),
        ("platform --listen :1234 --s", "unknown argument '--s'"),
        ("platform --listen :1234 --frob", "unknown argument '--frob'"),
    ],
)
def test_a_wrong_line_is_refused_in_words(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        arguments.parse(line.split())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--help", "target remote | ssh board pydbgserver - ./prog"),
        ("gdbserver --help", "--reverse-connect"),
        ("gdbserver -h", "--named-pipe"),
        ("--version", "pydbgserver "),
        ("version", "pydbgserver "),
        ("v", "pydbgserver "),
        ("--disable-packet", "Tthread"),
        ("--selftest", "Selftests have been disabled"),
        ("--selftest=x", "Selftests have been disabled"),
    ],
)
def test_questions_are_answered(line: str, words: str) -> None:
    assert words in answer(line).text
    assert answer(line).status == 0


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        (":1234", Endpoint(kind=TCP, port=1234)),
        ("1234", Endpoint(kind=TCP, port=1234)),
        ("host:0", Endpoint(kind=TCP, host="host")),
        ("tcp:host:1", Endpoint(kind=TCP, host="host", port=1)),
        ("tcp4:host:1", Endpoint(kind=TCP, host="host", port=1, family=4)),
        ("tcp6::1", Endpoint(kind=TCP, port=1, family=6)),
        ("[::1]:7", Endpoint(kind=TCP, host="::1", port=7)),
        ("::1:7", Endpoint(kind=TCP, host="::1", port=7)),
        ("-", Endpoint(kind=STDIO)),
        ("stdio", Endpoint(kind=STDIO)),
        ("/tmp/no-such-socket", Endpoint(kind=UNIX, path="/tmp/no-such-socket")),
        ("./s:1", Endpoint(kind=UNIX, path="./s:1")),
        ("/dev/null", Endpoint(kind=SERIAL, path="/dev/null")),
        ("/dev/ttyNONE", Endpoint(kind=SERIAL, path="/dev/ttyNONE")),
        ("unix:///tmp/s", Endpoint(kind=UNIX, path="/tmp/s")),
        ("listen://[::1]:7", Endpoint(kind=TCP, host="::1", port=7)),
    ],
)
def test_gdbserver_comm(text: str, endpoint: Endpoint) -> None:
    assert parse_comm(text) == endpoint


@pytest.mark.parametrize("text", ["prog", "host:port", "host:65536", ":-1", "[::1:7", "udp://h:1", "fd://x", "unix://"])
def test_wrong_comm(text: str) -> None:
    with pytest.raises(UsageError, match=r"."):
        parse_comm(text)


@pytest.mark.parametrize(
    ("text", "reverse", "endpoint"),
    [
        (":7", False, Endpoint(kind=TCP, port=7)),
        ("7", False, Endpoint(kind=TCP, port=7)),
        ("h:7", True, Endpoint(kind=TCP, host="h", port=7, connect=True)),
        ("tcp://h:7", False, Endpoint(kind=TCP, host="h", port=7)),
        ("tcp://h:7", True, Endpoint(kind=TCP, host="h", port=7, connect=True)),
        ("listen://h:7", True, Endpoint(kind=TCP, host="h", port=7)),
        ("accept://h:7", False, Endpoint(kind=TCP, host="h", port=7)),
        ("connect://h:7", False, Endpoint(kind=TCP, host="h", port=7, connect=True)),
        ("tcp-connect://h:7", False, Endpoint(kind=TCP, host="h", port=7, connect=True)),
        ("unix:///s", False, Endpoint(kind=UNIX, path="/s")),
        ("unix-accept:///s", False, Endpoint(kind=UNIX, path="/s")),
        ("unix-connect:///s", False, Endpoint(kind=UNIX, path="/s", connect=True)),
        ("unix-abstract://n", False, Endpoint(kind=ABSTRACT, path="n")),
        ("unix-abstract-accept://n", False, Endpoint(kind=ABSTRACT, path="n")),
        ("unix-abstract-connect://n", False, Endpoint(kind=ABSTRACT, path="n", connect=True)),
        ("fd://5", False, Endpoint(kind=DESCRIPTOR, descriptor=5)),
        ("file:///dev/x", False, Endpoint(kind=SERIAL, path="/dev/x")),
        ("serial:///dev/x?baud=115200", False, Endpoint(kind=SERIAL, path="/dev/x", speed=115200)),
        ("word", False, Endpoint(kind=UNIX, path="word")),
        ("/path/socket", True, Endpoint(kind=UNIX, path="/path/socket", connect=True)),
        ("/dev/null", False, Endpoint(kind=SERIAL, path="/dev/null")),
    ],
)
def test_lldb_endpoints(text: str, reverse: bool, endpoint: Endpoint) -> None:
    assert parse_lldb(text, reverse=reverse) == endpoint


def test_lldb_logs_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOG_FILE_VARIABLE, "/tmp/log")
    monkeypatch.setenv(LOG_CHANNELS_VARIABLE, "gdb-remote packets:lldb break unheard-of")
    parsed = options("gdbserver :1")
    assert (parsed.log_file, parsed.log_channels) == ("/tmp/log", ("packets", "breakpoints"))
    assert options("gdbserver :1 --log-file /tmp/other").log_file == "/tmp/other"
    assert options(":1 prog").log_channels == ()


def test_a_socket_path_of_a_device_is_a_device(tmp_path: Path) -> None:
    link = tmp_path / "line"
    os.symlink("/dev/null", link)
    assert parse_comm(str(link)).kind == SERIAL


def test_settings_are_frozen_and_checked() -> None:
    endpoint = Endpoint(kind=TCP, port=1)
    with pytest.raises(AttributeError):
        endpoint.port = 2
    with pytest.raises(TypeError):
        Endpoint(prot=1)
    assert endpoint.replace(port=2) == Endpoint(kind=TCP, port=2)
    assert endpoint == Endpoint(kind=TCP, port=1, host="") and hash(endpoint) == hash(Endpoint(kind=TCP, port=1))
    assert endpoint != Endpoint(kind=TCP, port=2)
