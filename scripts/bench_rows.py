"""What is measured. Each group opens one session per server, then measures them in turns: A B C A B C ..."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory

from bench_link import Link, Refused
from bench_servers import OURS, Contender, Placement, Session, attached, resident_bytes, running

from pydbgserver.testing.client import frame
from tests.programs import Programs

MIB = 1 << 20
THREADS = 500
# How long the threads get to be running again before they are interrupted: the kernel says nothing when they are.
SETTLE = 0.05
REST = 0.6
"""Seconds between the start of servers and what they are measured at. Our server goes on importing behind its first
replies, and what has just been busy is put on processors of its own for a while: in every other run client, server and
target then were apart for some batches, where a step takes twice as long."""


@dataclass(frozen=True)
class Row:
    """`bar`: the limit for ours / best peer, if there is one; at most that for times and sizes, at least for rates."""

    name: str
    unit: str
    bar: float | None
    is_rate: bool = False
    against: str | None = None


UNRECORDED = "unrecorded"
"""Our own server without --record."""

ANEW: dict[str, Callable[[int], bytes]] = {
    "new m 4 KiB": lambda address: b"m%x,1000" % address,
    "new m 16 KiB": lambda address: b"m%x,4000" % address,
    "new x 4 KiB": lambda address: b"x%x,1000" % address,
    "new x 16 KiB": lambda address: b"x%x,4000" % address,
    "new X 4 KiB": lambda address: b"X%x,1000:%s" % (address, bytes(4096)),
}
"""What was never read or written before: each from one byte further on."""

ROWS = {
    row.name: row
    for row in (
        Row("round trip qC", "us", 1.0),
        Row("round trip m 8 bytes", "us", 1.0),
        Row("round trip m 1 KiB", "us", 1.0),
        Row("round trip g", "us", 1.0),
        Row("single step", "us", 0.6),
        Row("breakpoint cycle", "us", 0.7),
        Row("false condition", "us", 0.4, against="gdbserver"),
        Row("false condition, 8 threads", "us", 0.4, against="gdbserver"),
        Row("range step, each instruction", "us", 0.4, against="gdbserver"),
        Row("read m", "MiB/s", 1.0, is_rate=True),
        Row("read x", "MiB/s", 1.0, is_rate=True),
        Row("write M", "MiB/s", 1.0, is_rate=True),
        Row("write X", "MiB/s", 1.0, is_rate=True),
        Row("attach 500 threads", "ms", 0.6),
        Row("list 500 threads", "ms", None),
        Row("interrupt 500 threads", "ms", 0.6),
        Row("detach 500 threads", "ms", None),
        Row("qC, recorded", "us", 1.1, against=UNRECORDED),
        Row("m 1 KiB, recorded", "us", 1.1, against=UNRECORDED),
        Row("m 16 KiB, recorded", "us", 1.1, against=UNRECORDED),
        Row("qAttached, recorded", "us", 1.1, against=UNRECORDED),
        *(Row(f"{name}, recorded", "us", 1.1, against=UNRECORDED) for name in ANEW),
        Row("start to listening", "ms", 2.0, against="lldb-server"),
        Row("start to first stop reply", "ms", None, against="lldb-server"),
        Row("memory of the server", "MiB", 0.5, against="lldb-server"),
    )
}


@dataclass
class Samples:
    """Measured values by row and server; what a server refuses has none."""

    programs: Programs
    scale: float
    wanted: Callable[[str], bool]

    def __post_init__(self) -> None:
        self.values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, row: str, server: str, value: float) -> None:
        self.values[row][server].append(value)

    def batches(self, count: int) -> range:
        return range(max(2, round(count * self.scale)))


def in_turns(
    samples: Samples,
    row: str,
    sessions: Sequence[Session],
    batches: int,
    measure: Callable[[Session], Callable[[], float]],
) -> None:
    """One warm-up batch for each session, then `batches` in turns; a session that refuses is left out."""
    if not samples.wanted(row):
        return
    ready: list[tuple[Session, Callable[[], float]]] = []
    for session in sessions:
        try:
            batch = measure(session)
            batch()
        except Refused:
            continue
        ready.append((session, batch))
    time.sleep(REST)
    for _ in samples.batches(batches):
        for session, batch in ready:
            samples.add(row, session.contender.name, batch())


def repeated(action: Callable[[], object], times: int) -> Callable[[], float]:
    """A batch: the mean time of `action`, in microseconds."""

    def batch() -> float:
        start = time.perf_counter()
        for _ in range(times):
            action()
        return (time.perf_counter() - start) / times * 1e6

    return batch


def round_trip(form: str) -> Callable[[Session], Callable[[], float]]:
    """Batches of one packet, `address` in it where the target's block is."""

    def measure(session: Session) -> Callable[[], float]:
        body = form.format(address=int(session.target.words[1], 16)).encode()
        session.link.ask(body)
        packet = frame(body)
        exchange = session.link.exchange
        return repeated(lambda: exchange(packet), 250)

    return measure


def round_trips(samples: Samples, sessions: Sequence[Session]) -> None:
    requests = {"qC": "qC", "m 8 bytes": "m{address:x},8", "m 1 KiB": "m{address:x},400", "g": "g"}
    for name, form in requests.items():
        in_turns(samples, f"round trip {name}", sessions, 20, round_trip(form))


def recording_rows(samples: Samples, servers: Sequence[Contender]) -> None:
    """What --record adds to a round trip of our own server."""
    ours = [server for server in servers if server.name == OURS]
    with ExitStack() as stack:
        directory = stack.enter_context(TemporaryDirectory())
        sessions = []
        for server in ours:
            for name, options in ((OURS, ["--record", f"{directory}/session.rsp"]), (UNRECORDED, [])):
                contender = replace(server, name=name)
                sessions.append(
                    stack.enter_context(attached(contender, samples.programs, "bulk", "4", options=options))
                )
        stack.enter_context(Placement.together(sessions))
        # `m` in a line and in the side file, where it is known after the first time; `qAttached` comes to Python.
        forms = {"qC": "qC", "m 1 KiB": "m{address:x},400", "m 16 KiB": "m{address:x},4000", "qAttached": "qAttached"}
        for name, form in forms.items():
            in_turns(samples, f"{name}, recorded", sessions, 40, round_trip(form))
        for name, form in ANEW.items():
            in_turns(samples, f"{name}, recorded", sessions, 40, always_new(form))


def always_new(form: Callable[[int], bytes]) -> Callable[[Session], Callable[[], float]]:
    """Batches of packets that each begin one byte further on: the block repeats itself after 1 MiB."""

    def measure(session: Session) -> Callable[[], float]:
        link, addresses = session.link, itertools.count(int(session.target.words[1], 16))
        link.ask(form(next(addresses)))

        def batch() -> float:
            packets = [frame(form(next(addresses))) for _ in range(150)]
            start = time.perf_counter()
            for packet in packets:
                link.exchange(packet)
            return (time.perf_counter() - start) / len(packets) * 1e6

        return batch

    return measure


def bulk_content(size: int) -> bytes:
    """What tests/programs/bulk.c fills its block with."""
    return b"".join(bytes((i * 7 + page) & 0xFF for i in range(256)) * 16 for page in range(size // 4096))


def bulk_reads(samples: Samples, sessions: Sequence[Session], batch_size: int) -> None:
    content = bulk_content(batch_size)
    for letter in ("m", "x"):

        def measure(session: Session, letter: str = letter) -> Callable[[], float]:
            step = (session.link.packet_size - 64) // 2 & ~1023
            address = int(session.target.words[1], 16)
            first = session.link.ask(f"{letter}{address:x},{step:x}".encode())
            # gdb's form of `x` has a `b` before the bytes.
            data = bytes.fromhex(first.decode()) if letter == "m" else first[len(first) - step :]
            if data != content[:step]:
                raise AssertionError(f"{session.contender.name}: {letter} read other bytes than there are")
            packets = [
                frame(f"{letter}{address + at:x},{min(step, batch_size - at):x}".encode())
                for at in range(0, batch_size, step)
            ]
            return transfer(session, packets, batch_size)

        in_turns(samples, f"read {letter}", sessions, 4, measure)


def bulk_writes(samples: Samples, sessions: Sequence[Session], batch_size: int) -> None:
    content = bytes(byte ^ 0x55 for byte in bulk_content(batch_size))
    for letter in ("M", "X"):

        def measure(session: Session, letter: str = letter) -> Callable[[], float]:
            address = int(session.target.words[1], 16)
            packets = list(write_packets(letter, address, content, session.link.packet_size))
            if letter == "X":
                session.link.ask(b"X%x,0:" % address)
            if bytes(session.link.exchange(packets[0]))[-6:-3] != b"$OK":
                raise Refused(letter)
            batch = transfer(session, packets, batch_size)
            batch()
            with open(f"/proc/{session.target.process.pid}/mem", "rb", buffering=0) as memory:
                memory.seek(address)
                if memory.read(batch_size) != content:
                    raise AssertionError(f"{session.contender.name}: {letter} wrote other bytes than it was given")
            return batch

        in_turns(samples, f"write {letter}", sessions, 4, measure)


def write_packets(letter: str, address: int, content: bytes, packet_size: int) -> Iterator[bytes]:
    """Framed `M` or `X` packets for the whole of `content`, each as big as the server allows."""
    # About one byte in 64 of the content is escaped in an X packet.
    step = (packet_size - 64) // 2 if letter == "M" else (packet_size - 64) * 31 // 32
    step &= ~1023
    for at in range(0, len(content), step):
        data = content[at : at + step]
        head = f"{letter}{address + at:x},{len(data):x}:".encode()
        yield frame(head + (data.hex().encode() if letter == "M" else data))


def transfer(session: Session, packets: Sequence[bytes], size: int) -> Callable[[], float]:
    """A batch: all `packets` one after another, which move `size` bytes; MiB/s."""
    exchange = session.link.exchange

    def batch() -> float:
        start = time.perf_counter()
        for packet in packets:
            exchange(packet)
        return size / MIB / (time.perf_counter() - start)

    return batch


def memory_rows(samples: Samples, servers: Sequence[Contender]) -> None:
    """Round trips and bulk transfers, on a program with a known block of memory."""
    batch_size = round(4 * MIB * min(1.0, samples.scale * 2)) & ~4095
    with ExitStack() as stack:
        sessions = [stack.enter_context(attached(server, samples.programs, "bulk", "4")) for server in servers]
        round_trips(samples, sessions)
        bulk_reads(samples, sessions, batch_size)
        bulk_writes(samples, sessions, batch_size)


def step_rows(samples: Samples, servers: Sequence[Contender]) -> None:
    def measure(session: Session) -> Callable[[], float]:
        body = b"vCont;s:" + session.tid
        if not session.link.ask(body).startswith(b"T05"):
            raise AssertionError(f"{session.contender.name}: a step did not end with SIGTRAP")
        packet = frame(body)
        exchange = session.link.exchange
        return repeated(lambda: exchange(packet), 100)

    with ExitStack() as stack:
        sessions = [stack.enter_context(attached(server, samples.programs, "spinner")) for server in servers]
        in_turns(samples, "single step", sessions, 20, measure)


def breakpoint_rows(samples: Samples, servers: Sequence[Contender]) -> None:
    """continue -> hit, then remove, step, insert again: what clients do at every hit. Memory is read at the end."""

    def measure(session: Session) -> Callable[[], float]:
        link = session.link
        place = b"0,%x,1" % session.target.address_of("tick")
        link.ask(b"Z" + place)
        packets = [frame(body) for body in (b"vCont;c", b"z" + place, b"vCont;s:" + session.tid, b"Z" + place)]
        hit = link.ask(b"vCont;c")
        if not hit.startswith(b"T05"):
            raise AssertionError(f"{session.contender.name}: {hit!r} instead of a breakpoint")
        for packet in packets[1:]:
            link.exchange(packet)

        def cycle() -> None:
            for packet in packets:
                link.exchange(packet)

        return repeated(cycle, 40)

    with ExitStack() as stack:
        sessions = [stack.enter_context(attached(server, samples.programs, "loop", str(1 << 60))) for server in servers]
        in_turns(samples, "breakpoint cycle", sessions, 20, measure)
        if samples.wanted("memory of the server"):
            for session in sessions:
                if not samples.values["breakpoint cycle"]:
                    measure(session)()
                samples.add("memory of the server", session.contender.name, resident(session))


def resident(session: Session) -> float:
    return resident_bytes(session.server.process.pid) / MIB


def thread_rows(samples: Samples, servers: Sequence[Contender]) -> None:
    for _ in samples.batches(6):
        for contender in servers:
            with running(samples.programs, "threads_pause", str(THREADS)) as target:
                server = contender.start(options=["--multi"] if contender.style == "gdb" else [])
                try:
                    one_thread_turn(samples, contender, contender.connect(server), target.process.pid)
                finally:
                    server.close()


def one_thread_turn(samples: Samples, contender: Contender, link: Link, pid: int) -> None:
    """attach, list, continue and interrupt, detach; each timed by itself."""
    if contender.style == "gdb":
        link.ask(b"!")

    def timed(name: str, action: Callable[[], object]) -> None:
        start = time.perf_counter()
        action()
        samples.add(f"{name} {THREADS} threads", contender.name, (time.perf_counter() - start) * 1e3)

    def threads() -> int:
        count, answer = 0, link.request(b"qfThreadInfo")
        while answer.startswith(b"m"):
            count += answer.count(b",") + 1
            answer = link.request(b"qsThreadInfo")
        return count

    def interrupt() -> None:
        link.send(b"\x03")
        link.wait_for_stop()

    timed("attach", lambda: link.ask(b"vAttach;%x" % pid))
    if threads() != THREADS + 1:
        raise AssertionError(f"{contender.name} lists {threads()} threads of {THREADS + 1}")
    timed("list", threads)
    link.send(frame(b"vCont;c"))
    time.sleep(SETTLE)
    timed("interrupt", interrupt)
    timed("detach", lambda: link.ask(b"D" if contender.is_lldb_server else b"D;%x" % pid))
    link.close()


def start_rows(samples: Samples, servers: Sequence[Contender]) -> None:
    """From the spawn to the port known, and to the first stop reply, with a program to launch."""
    program = samples.programs("exit_code")
    for _ in samples.batches(8):
        for contender in servers:
            start = time.perf_counter()
            server = contender.start(program)
            listening = time.perf_counter()
            try:
                link = contender.connect(server)
                link.ask(b"?")
                stopped = time.perf_counter()
                link.close()
            finally:
                server.close()
            samples.add("start to listening", contender.name, (listening - start) * 1e3)
            samples.add("start to first stop reply", contender.name, (stopped - start) * 1e3)


GROUPS: dict[Callable[[Samples, Sequence[Contender]], None], tuple[str, ...]] = {
    memory_rows: ("round trip", "read", "write"),
    recording_rows: ("qC, recorded", "m 1 KiB, recorded", "m 16 KiB, recorded", "qAttached, recorded", "new"),
    step_rows: ("single step",),
    breakpoint_rows: ("breakpoint cycle", "memory of the server"),
    thread_rows: ("attach", "list", "interrupt", "detach"),
    start_rows: ("start",),
}


def measure_all(samples: Samples, servers: Sequence[Contender]) -> None:
    """Run every group that has a wanted row."""
    for group, prefixes in GROUPS.items():
        if any(samples.wanted(name) for name in ROWS if name.startswith(prefixes)):
            group(samples, servers)
