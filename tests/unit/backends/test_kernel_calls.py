"""Calls to the kernel as text, and back into buffers."""

from __future__ import annotations

import pytest

from pydbgserver import native
from pydbgserver.backends.linux.kernel_calls import (
    Call,
    argument,
    format_call,
    is_buffer,
    parse_call,
    restore,
    snapshot,
    written,
)

ffi = native.ffi


def test_a_call_as_a_line() -> None:
    call = Call("linux_read_memory", [71, 4198400, 0, 2], 2, {"2": "f30f"})
    assert format_call(call) == b'linux_read_memory [71,4198400,0,2] 2 {"2":"f30f"}'
    assert parse_call(format_call(call)) == call


def test_blanks_and_bytes_in_text() -> None:
    call = Call("read_file", ["/proc/71/comm", -1], "a b\n\xff")
    assert b" " not in format_call(call)[len(b'read_file ["/proc/71/comm",-1] "a b') :]
    assert parse_call(format_call(call)) == call


@pytest.mark.parametrize("line", [b"", b"linux_wait", b"linux_wait [1]", b"linux_wait 1 1", b"linux_wait [1] 1 []",
                                  b"linux_wait [1] 1 {} 2", b"linux_wait [1", b"linux_wait [\xff] 1"])  # fmt: skip
def test_what_is_no_call(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse_call(line)


def test_bytes_that_were_written_count_although_they_were_there_before() -> None:
    buffer = ffi.new("uint8_t[]", b"abcdef")
    assert written(buffer, snapshot(buffer), 3) == b"abc".hex()
    assert written(buffer, snapshot(buffer), 0) is None
    before = snapshot(buffer)
    buffer[4] = 0
    assert written(buffer, before, 1) == b"abcd\0".hex()


@pytest.mark.parametrize("place", [0, 1, 4095, 65535])
def test_the_last_byte_that_changed_is_found(place: int) -> None:
    buffer = ffi.new("uint8_t[]", 65536)
    before = snapshot(buffer)
    buffer[place] = 1
    assert written(buffer, before, None) == (bytes(place) + b"\1").hex()


def test_integers() -> None:
    tids = ffi.new("int32_t[]", 8)
    before = snapshot(tids)
    tids[1] = 72
    assert written(tids, before, 2) == [0, 72]
    again = ffi.new("int32_t[]", 8)
    restore(again, [0, 72])
    assert list(again) == [0, 72, 0, 0, 0, 0, 0, 0]


def test_stop_records() -> None:
    stops = ffi.new("linux_stop[]", 4)
    before = snapshot(stops)
    stops[0].pid, stops[0].kind, stops[0].pc = 71, 2, 1 << 63
    stops[0].registers[3] = 0xAB
    stops[1].tid = 72
    found = written(stops, before, 2)
    assert found == [{"pid": 71, "kind": 2, "pc": 1 << 63, "registers": "000000ab"}, {"tid": 72}]
    again = ffi.new("linux_stop[]", 4)
    again[0].signal = 9
    restore(again, found)
    assert snapshot(again) == snapshot(stops)


def test_stop_records_that_are_there_already_are_told_all_the_same() -> None:
    stops = ffi.new("linux_stop[]", 4)
    stops[0].pid = 71
    assert written(stops, snapshot(stops), 1) == [{"pid": 71}]


def test_structures_that_c_reads_are_arguments() -> None:
    assert argument(ffi.new("linux_action[]", [(-1, 71, 1, 0, 0, 0)])) == {"pid": -1, "tid": 71, "kind": 1}
    assert argument(ffi.new("linux_action[]", [(1,), (2,)])) == [{"pid": 1}, {"pid": 2}]
    assert argument(ffi.new("linux_stop[]", 2)) == 0
    assert argument(ffi.new("uint8_t[]", 2)) == 0
    assert argument(ffi.NULL) == 0
    assert argument(b"\xcc") == "cc"


def test_the_environment_of_a_program_is_not_told() -> None:
    path, one, spec = ffi.new("char[]", b"/bin/x"), ffi.new("char[]", b"KEY=SECRET"), ffi.new("linux_launch_spec *")
    words = ffi.new("char *[]", [path, ffi.NULL])
    variables = ffi.new("char *[]", [one, ffi.NULL])
    spec.path, spec.argv, spec.envp = path, words, variables
    assert argument(spec) == {"path": "/bin/x", "argv": ["/bin/x"]}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        restore(ffi.new("uint8_t[]", 2), "001122")
    with pytest.raises(ValueError, match="do not fit"):
        restore(ffi.new("int32_t[]", 2), [1, 2, 3])
    assert not is_buffer(ffi.NULL)
