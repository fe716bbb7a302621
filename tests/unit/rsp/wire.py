"""The wire format written down a second time, as plainly as possible, to test the real codec against."""

from __future__ import annotations


def checksum(wire: bytes) -> bytes:
    return b"%02x" % (sum(wire) % 256)


def escaped(body: bytes) -> bytes:
    return b"".join(b"}" + bytes([byte ^ 0x20]) if byte in b"}#$*" else bytes([byte]) for byte in body)


def framed(body: bytes) -> bytes:
    """A packet as a client writes it."""
    wire = escaped(body)
    return b"$" + wire + b"#" + checksum(wire)


def expanded(wire: bytes) -> bytes:
    """Runs written out as gdb does: before unescaping, each run right after its character."""
    out = bytearray()
    index = 0
    after_run = False
    while index < len(wire):
        if wire[index] == ord("*"):
            repeat = wire[index + 1] - 29
            assert 3 <= repeat <= 97, f"a count of {repeat}"
            assert chr(wire[index + 1]) not in "#$+-", "a count that looks like framing"
            assert out and not after_run, "a run of nothing, or of a run"
            out += out[-1:] * repeat
            index += 2
            after_run = True
        else:
            out.append(wire[index])
            index += 1
            after_run = False
    return bytes(out)


def unescaped(wire: bytes) -> bytes:
    out = bytearray()
    pending = False
    for byte in wire:
        if pending:
            out.append(byte ^ 0x20)
        elif byte != ord("}"):
            out.append(byte)
        pending = byte == ord("}") and not pending
    return bytes(out)


def decoded(frame: bytes) -> bytes:
    """The body of a frame that the server wrote, its checksum verified."""
    wire, mark, digits = frame[1:].rpartition(b"#")
    assert mark and digits == checksum(wire)
    assert frame[:1] == b"$" and b"$" not in wire and b"#" not in wire
    return unescaped(expanded(wire))
