"""The comparison of this server's replies with gdbserver's and lldb-server's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.specs.peers import UNSUPPORTED, cell, compare, normal
from tests.specs.real import Result
from tests.specs.specs import ROOT, Packet, packets

VALUES = {"pid": 0x64, "tid": 0x64, "pc": 0x401000, "sp": 0x7FFFFFFDE800}


def packet(name: str) -> Packet:
    return next(one for one in packets() if one.name == name)


def difference(name: str, ours: bytes, theirs: bytes) -> str:
    found = packet(name)
    first, second = (Result(reply, values=VALUES) for reply in (ours, theirs))
    return compare(found, found.examples[0], first, second).difference


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "expected"),
    [
        ("qC", b"QCp64.64", b"QCp64.64", ""),
        ("m", b"0011", b"2233", ""),
        ("m", b"0011", b"E01", "form: data:hexbytes and error"),
        ("m", b"E.cannot read", b"E0e", ""),
        ("x", b"ab", b"", UNSUPPORTED),
        ("qAttached", b"1", b"0", "form: '1' and '0'"),
        ("qWatchpointSupportInfo", b"num:4;", b"num:2;", "number"),
        ("qHostInfo", b"triple:00;ptrsize:8;", b"triple:01;", "keys: also ptrsize"),
        ("?", b"T0510:00;thread:p64.64;", b"T0507:00;thread:p64.64;core:1;", "keys: without core"),
        ("?", b"T05thread:p64.64;", b"T0bthread:p64.64;", "T05 and T0b"),
        ("?", b"T05reason:trace;", b"T05reason:signal;", "reason"),
        ("vFile:close", b"F-1,9", b"F-1,16", "error number"),
    ],
)
def test_what_counts_as_a_difference(name: str, ours: bytes, theirs: bytes, expected: str) -> None:
    assert difference(name, ours, theirs) == expected


def test_no_reply_is_a_difference() -> None:
    found = packet("qC")
    nothing = Result(trouble="no reply", values=VALUES)
    assert compare(found, found.examples[0], Result(b"QC64", values=VALUES), nothing).difference == "no reply of one"
    assert compare(found, found.examples[0], nothing, nothing).difference == "no reply of one"


def test_numbers_of_the_run_get_their_names() -> None:
    reply = b"T05thread:p64.64;10:0010400000000000;at:401000,100;7fffffffde800"
    expected = "T05thread:p{pid}.{pid};10:{pc/le};at:{pc},{pid/dec};7fffffffde800"
    assert normal(Result(reply, values=VALUES)) == expected


def test_what_is_shown_of_a_reply_is_printable_and_short() -> None:
    assert cell("a|b\n") == "`a\\|b\\x0a`"
    assert cell("") == "(empty)"
    assert len(cell("x" * 1000)) < 100


def test_both_peers_are_compared_with() -> None:
    command = [
        sys.executable,
        str(ROOT / "scripts" / "compare_peers"),
        "--only",
        "qStructuredDataPlugins",
        "--only",
        "qCRC",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "## gdbserver" in result.stdout and "## lldb-server" in result.stdout, result.stderr
    assert "`qStructuredDataPlugins`" in result.stdout
