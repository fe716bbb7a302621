from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from pydbgserver.errors import MalformedPacket
from pydbgserver.rsp import registry
from pydbgserver.rsp.registry import Registry


def make() -> Registry:
    """A registry with a packet of every kind; the handlers give back what they got."""
    packets = Registry()

    @packets.packet("m", "address:hex ',' length:hex")
    def read_memory(session: Any, address: int, length: int) -> Any:
        return "m", address, length

    @packets.packet("M", "address:hex ',' length:hex ':' data:hexbytes")
    def write_memory(session: Any, address: int, length: int, data: bytes) -> Any:
        return "M", address, length, data

    @packets.packet("g")
    def read_registers(session: Any, *, tid: int | None) -> Any:
        return "g", tid

    @packets.packet("Hg", "thread:thread")
    def select(session: Any, thread: Any) -> Any:
        return "Hg", thread.tid

    @packets.packet("Z0", "',' address:hex ',' kind:hex [';' rest:text]")
    def insert(session: Any, address: int, kind: int, rest: str | None) -> Any:
        return "Z0", address, kind

    @packets.packet("D", "[';' pid:hex]")
    def detach(session: Any, pid: int | None = None) -> Any:
        return "D", pid

    @packets.packet("D1")
    def detach_stopped(session: Any) -> Any:
        return ("D1",)

    @packets.packet("qC")
    def current(session: Any) -> Any:
        return ("qC",)

    @packets.packet("vCont?")
    def resume_query(session: Any) -> Any:
        return ("vCont?",)

    @packets.packet("vCont", "';' actions:text", features=["vContSupported+"])
    def resume(session: Any, actions: str) -> Any:
        return "vCont", actions

    @packets.packet(
        "qXfer:features:read", "':' annex:text ':' offset:hex ',' length:hex", features=["qXfer:features:read+"]
    )
    def features(session: Any, annex: str, offset: int, length: int) -> Any:
        return "features", annex

    @packets.packet("qXfer:auxv:read", "'::' offset:hex ',' length:hex", features=["qXfer:auxv:read+", "x+"])
    def auxv(session: Any, offset: int, length: int) -> Any:
        return "auxv", offset

    @packets.packet("qRegisterInfo", "number:hex", dialect="lldb", features=["x+"])
    def register_info(session: Any, number: int) -> Any:
        return "qRegisterInfo", number

    @packets.packet("qThreadStopInfo", "tid:hex")
    def stop_info(session: Any, tid: int) -> Any:
        return "qThreadStopInfo", tid

    @packets.packet("QThreadSuffixSupported")
    def thread_suffix(session: Any) -> Any:
        return ("QThreadSuffixSupported",)

    @packets.packet("QSaveRegisterState")
    def save(session: Any, *, tid: int | None) -> Any:
        return "QSaveRegisterState", tid

    @packets.packet("_M", "size:hex ',' permissions:word")
    def allocate(session: Any, size: int, permissions: str) -> Any:
        return "_M", size, permissions

    return packets


PACKETS = make()

FOUND: list[tuple[bytes, tuple[Any, ...]]] = [
    (b"m1000,10", ("m", 0x1000, 0x10)),
    (b"M0,1:ff", ("M", 0, 1, b"\xff")),
    (b"g", ("g", None)),
    (b"g;thread:1f;", ("g", 0x1F)),
    (b"Hgp0.0", ("Hg", 0)),
    (b"Hg-1", ("Hg", -1)),
    (b"Z0,401000,1", ("Z0", 0x401000, 1)),
    (b"D", ("D", None)),
    (b"D;1", ("D", 1)),
    (b"D1", ("D1",)),
    (b"qC", ("qC",)),
    (b"vCont?", ("vCont?",)),
    (b"vCont;c:p1.-1", ("vCont", "c:p1.-1")),
    (b"qXfer:features:read:target.xml:0,fff", ("features", "target.xml")),
    (b"qXfer:auxv:read::10,fff", ("auxv", 0x10)),
    (b"qRegisterInfo1f", ("qRegisterInfo", 0x1F)),
    (b"qThreadStopInfo1F", ("qThreadStopInfo", 0x1F)),
    (b"QThreadSuffixSupported", ("QThreadSuffixSupported",)),
    (b"QSaveRegisterState;thread:2;", ("QSaveRegisterState", 2)),
    (b"_M1000,rwx", ("_M", 0x1000, "rwx")),
]

UNKNOWN = [
    b"",
    b"x0,0",
    b"!",
    b"\xff",
    b"q",
    b"Q",
    b"v",
    b"vMustReplyEmpty",
    b"qCRC:0,1",
    b"qXfer",
    b"qXfer:",
    b"qXfer:features",
    b"qXfer:features:",
    b"qXfer;features:read:target.xml:0,fff",
    b"qXfer:features:write::0:",
    b"qXfer:memory-map:read::0,1",
    b"qXfer:features:readable:x:0,1",
    b"Hc-1",
    b"Z9,0,1",
    b"vContX",
    b"QThreadSuffixSupportedX",
    b"_m10",
]


@pytest.mark.parametrize(("body", "result"), FOUND)
def test_packets_are_found_and_called(body: bytes, result: tuple[Any, ...]) -> None:
    found = PACKETS.find(body)
    assert found is not None
    entry, offset = found
    for _ in range(2):
        assert entry.call("session", body, offset) == result


@pytest.mark.parametrize("body", UNKNOWN)
def test_unknown_packets(body: bytes) -> None:
    assert PACKETS.find(body) is None


@pytest.mark.parametrize("body", [b"m", b"mzz,1", b"qC:1", b"qRegisterInfo", b"qRegisterInfox", b"Hg", b"vCont"])
def test_malformed_packets(body: bytes) -> None:
    found = PACKETS.find(body)
    assert found is not None
    with pytest.raises(MalformedPacket):
        found[0].call("session", body, found[1])


def test_a_name_may_begin_like_a_letter() -> None:
    packets = make()

    @packets.packet("MultiMemRead", "':' rest:text")
    def multi(session: Any, rest: str) -> str:
        return rest

    body = b"MultiMemRead:ranges:1"
    found = packets.find(body)
    assert found is not None
    assert found[0].call(None, body, found[1]) == "ranges:1"
    assert packets.find(b"M0,1:ff") is not None


def test_features_are_listed_once() -> None:
    assert PACKETS.features() == ("vContSupported+", "qXfer:features:read+", "qXfer:auxv:read+", "x+")


def test_entries_tell_about_themselves() -> None:
    entry = PACKETS["qRegisterInfo"]
    assert (entry.name, entry.dialect, entry.features, entry.grammar.source) == (
        "qRegisterInfo",
        "lldb",
        ("x+",),
        "number:hex",
    )
    assert "qC" in PACKETS
    assert "vMustReplyEmpty" not in PACKETS
    assert [one.name for one in PACKETS][:2] == ["m", "M"]


def test_a_name_is_registered_once() -> None:
    packets = make()
    with pytest.raises(ValueError, match="packet qC is registered twice"):
        packets.packet("qC")(lambda session: None)


def test_a_handler_takes_the_arguments_of_its_grammar() -> None:
    with pytest.raises(TypeError, match=r"takes \('start',\), packet x has \('address',\)"):
        Registry().packet("x", "address:hex")(lambda session, start: None)
    with pytest.raises(TypeError, match="tid"):
        Registry().packet("p", "number:hex")(lambda session, number: None)


def test_the_registry_of_the_server_is_filled_by_packet() -> None:
    assert registry.packet.__self__ is registry.REGISTRY  # type: ignore[attr-defined]


def test_importing_the_protocol_brings_no_trio_and_no_logging() -> None:
    """Start-up time and memory: see README; the layers: rsp knows no event loop."""
    script = (
        "import sys; import pydbgserver.rsp.framing, pydbgserver.rsp.registry, pydbgserver.rsp.replies, "
        "pydbgserver.rsp.signals, pydbgserver.logs; print({'trio', 'logging', 'json', 'socket'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"
