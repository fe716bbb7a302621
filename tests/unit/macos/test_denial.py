"""Each closed gate of macOS has its own words, which say what to do."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import Any

import pytest

from pydbgserver.backends.macos import denial
from pydbgserver.backends.macos.denial import (
    CS_GET_TASK_ALLOW,
    CS_PLATFORM_BINARY,
    CS_RESTRICT,
    CS_RUNTIME,
    Situation,
    explain,
)
from pydbgserver.backends.macos.tracer import Tracer
from tests.unit.macos.fake_mach import FAILURE, FFI, PID, FakeMach

OPEN = Situation("/Users/dev/prog", False, True, 501, True, True, True, CS_GET_TASK_ALLOW)
PLIST = b"\xfa\xde\x71\x71\0\0\1\0" + (
    b'<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>'
    b"<key>com.apple.security.cs.debugger</key><true/></dict></plist>"
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": CS_PLATFORM_BINARY}, ["System Integrity Protection", "/Users/dev/prog"]),
        ({"status": CS_RESTRICT, "root": True}, ["System Integrity Protection"]),
        ({"status": CS_RUNTIME}, ["hardened runtime", "get-task-allow", "codesign -f -s - --entitlements"]),
        ({"developer_mode": False}, ["developer mode is off", "DevToolsSecurity -enable"]),
        ({"same_user": False, "owner": 0}, ["user 0", "sudo"]),
        ({"entitled": False}, ["com.apple.security.cs.debugger", "scripts/macos/sign_python"]),
        ({"in_group": False}, ["_developer", "dseditgroup"]),
    ],
)
def test_a_closed_gate(changes: dict[str, Any], words: list[str]) -> None:
    text = explain(replace(OPEN, **changes))
    for word in words:
        assert word in text


def test_every_gate_has_words_of_its_own() -> None:
    closed: list[dict[str, Any]] = [
        {"status": CS_PLATFORM_BINARY},
        {"status": CS_RUNTIME},
        {"developer_mode": False},
        {"same_user": False},
        {"entitled": False},
        {"in_group": False},
    ]
    assert len({explain(replace(OPEN, **changes)) for changes in closed}) == len(denial.GATES) == len(closed)


def test_all_gates_open() -> None:
    assert explain(OPEN) == ""
    assert explain(replace(OPEN, root=True, entitled=False, in_group=False, same_user=False)) == ""
    assert explain(replace(OPEN, status=CS_RUNTIME | CS_GET_TASK_ALLOW)) == ""


def tracer(fake: FakeMach) -> Tracer:
    return Tracer(fake, FFI)


def test_the_entitlement_is_read_from_the_property_list() -> None:
    fake = FakeMach()
    target = tracer(fake).describe_process(PID)
    assert not denial.situation(tracer(fake), target).entitled
    fake.plists[os.getpid()] = PLIST
    assert denial.situation(tracer(fake), target).entitled
    fake.plists[os.getpid()] = b"garbage <?xml not really"
    assert not denial.situation(tracer(fake), target).entitled


def test_developer_mode_counts_only_where_the_system_has_it() -> None:
    fake = FakeMach()
    target = tracer(fake).describe_process(PID)
    assert denial.situation(tracer(fake), target).developer_mode
    fake.sysctls[denial.DEVELOPER_MODE] = bytes(4)
    assert not denial.situation(tracer(fake), target).developer_mode


def test_an_attach_that_task_for_pid_refuses() -> None:
    fake = FakeMach()
    fake.status[PID] = CS_PLATFORM_BINARY
    error = denial.attach_error(tracer(fake), PID, FAILURE, denial.STAGE_TASK)
    assert str(error).startswith("cannot attach to process 500: /Users/dev/prog belongs to the system")
    assert error.code == errno.EIO


@pytest.mark.parametrize(
    ("result", "stage", "words"),
    [
        (-errno.EPERM, denial.STAGE_PTRACE, "PT_DENY_ATTACH"),
        (-errno.EBUSY, denial.STAGE_PTRACE, "another debugger has it already"),
        (-errno.ETIMEDOUT, denial.STAGE_STOP, "did not come in time"),
        (-errno.ESRCH, denial.STAGE_TASK, "there is no such process"),
        (FAILURE, denial.STAGE_PORTS, "KERN_FAILURE"),
    ],
)
def test_attaches_that_fail_elsewhere(result: int, stage: int, words: str) -> None:
    error = denial.attach_error(tracer(FakeMach()), PID, result, stage)
    assert words in str(error)


def test_the_server_itself_and_nobody() -> None:
    assert "this server" in str(denial.attach_error(tracer(FakeMach()), os.getpid(), FAILURE, denial.STAGE_TASK))
    assert "no such process" in str(denial.attach_error(tracer(FakeMach()), 4711, FAILURE, denial.STAGE_TASK))
