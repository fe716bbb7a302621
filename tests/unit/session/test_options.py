"""What the command line decides, in the form that a session needs."""

from __future__ import annotations

import pydbgserver.handlers  # noqa: F401 - registers the packets
from pydbgserver.rsp.registry import REGISTRY
from pydbgserver.session.options import DISABLED_PACKETS, SessionOptions
from pydbgserver.target.api import LaunchSpec


def test_disable_packet_names_packets_that_there_are() -> None:
    for names in DISABLED_PACKETS.values():
        assert all(name in REGISTRY for name in names)


def test_disabled_packets_and_parts_of_stop_replies() -> None:
    options = SessionOptions(disabled_packets=frozenset({"threads", "Tthread"}))
    assert options.unknown_packets() == {"qfThreadInfo", "qsThreadInfo", "qXfer:threads:read"}
    assert (options.stop_forms().thread_key, options.stop_forms().details) == (False, True)


def test_launches_begin_with_the_command_lines_settings() -> None:
    program = LaunchSpec("prog", ("x",))
    settings = SessionOptions(program=program, disable_aslr=False, wrapper=("env",)).launch_settings()
    assert (settings.last, settings.disable_aslr, settings.through_shell, settings.wrapper) == (
        program,
        False,
        True,
        ("env",),
    )
