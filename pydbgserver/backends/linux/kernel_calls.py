"""A call to the kernel as one line of text, and back: the second level of a transcript (docs/transcripts.md).

``NAME ARGUMENTS RESULT [OUT]``, each but the name as JSON without blanks:

    linux_wait [0,64,300,150] 1 {"0":[{"pid":71,"tid":71,"kind":2,"signal":5,"pc":4198709,"registers":"0000..."}]}
    linux_read_memory [71,4198400,0,2] 2 {"2":"f30f"}
    read_file ["/proc/71/comm",-1] "loop\\n"
    read_link ["/proc/99/exe"] {"errno":2}

A buffer is 0 among the arguments, unless it is a structure that C reads, which is an object of its fields that are not
zero. OUT holds what C has written into buffers, by the argument's number: bytes as hexadecimal digits, integers as a
list, structures as a list of objects. Of a structure's fields those that are zero are left out, so that records stay
valid when there are more of them. Bytes that a file or a link consists of are text, a character for each byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pydbgserver import native

OWN_STRUCTURES = frozenset({"linux_stop"})
"""Structures that C only writes: what is in them before the call is no argument."""

NOT_SHOWN = frozenset({"envp"})
"""Fields that are no business of who reads the transcript."""

_ffi = native.ffi


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `out` by the number of the argument (from 0), in decimal as JSON has it."""

    name: str
    arguments: list[Any]
    result: Any
    out: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What makes two calls the same question."""
        return self.name, to_json(self.arguments)


def to_json(value: Any) -> str:
    """`value` without blanks."""
    return json.dumps(value, separators=(",", ":"))


def format_call(call: Call) -> bytes:
    """The call as one line."""
    parts = [call.name, to_json(call.arguments), to_json(call.result)]
    if call.out:
        parts.append(to_json(call.out))
    return " ".join(parts).encode("ascii")


def parse_call(line: bytes) -> Call:
    """What `format_call` made `line` of. Raises `ValueError`."""
    name, _, rest = line.decode("ascii").partition(" ")
    decoder = json.JSONDecoder()
    values = []
    while rest:
        value, end = decoder.raw_decode(rest)
        values.append(value)
        rest = rest[end:].lstrip(" ")
    if len(values) not in (2, 3) or not isinstance(values[0], list) or not isinstance(values[-1] or {}, object):
        raise ValueError("a call is NAME, arguments, result and perhaps what was written")
    out = values[2] if len(values) == 3 else {}
    if not isinstance(out, dict):
        raise ValueError("what was written is an object")
    return Call(name, values[0], values[1], out)


# Arguments and buffers of C.


def is_buffer(value: Any) -> bool:
    """Whether C may write there."""
    return isinstance(value, _ffi.CData) and _ffi.typeof(value).kind in ("pointer", "array") and value != _ffi.NULL


def argument(value: Any) -> Any:
    """An argument of a call as JSON has it."""
    if isinstance(value, _ffi.CData):
        item = _ffi.typeof(value).item if is_buffer(value) else None
        if item is None or item.kind != "struct" or item.cname in OWN_STRUCTURES:
            return 0
        return [_structure(one) for one in _items(value)] if _count(value) > 1 else _structure(value[0])
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    return value if isinstance(value, int | str) else list(value)


def snapshot(value: Any) -> bytes:
    """The bytes in a buffer."""
    return bytes(_ffi.buffer(value))


def written(value: Any, before: bytes, result: int | None) -> Any:
    """What the call wrote into a buffer, None if nothing. A result may be the count of its items that hold."""
    item = _ffi.typeof(value).item
    now = snapshot(value)
    count = len(now) // _ffi.sizeof(item)
    changed = _changed_items(before, now, _ffi.sizeof(item))
    own = (item.kind == "primitive" and _ffi.sizeof(item) == 1) or item.cname in OWN_STRUCTURES
    if own and result is not None and 0 < result <= count:
        changed = max(changed, result) if item.kind == "primitive" else result
    if not changed:
        return None
    if item.kind == "struct":
        return [_structure(one) for one in list(_items(value))[:changed]]
    return now[:changed].hex() if _ffi.sizeof(item) == 1 else [int(value[index]) for index in range(changed)]


def _changed_items(before: bytes, now: bytes, size: int) -> int:
    """How many items there are up to the last one that is another."""
    if before == now:
        return 0
    low, high = 0, len(now)
    # The end of what differs, by halves: buffers have 64 KiB.
    while high - low > 1:
        middle = (low + high) // 2
        if before[middle:high] != now[middle:high]:
            low = middle
        else:
            high = middle
    return high // size if high % size == 0 else high // size + 1


def restore(value: Any, recorded: Any) -> None:
    """Write into a buffer what `written` gave. Raises `ValueError` if it does not fit."""
    item = _ffi.typeof(value).item
    room = _ffi.sizeof(value) if _ffi.typeof(value).kind == "array" else _ffi.sizeof(item)
    if isinstance(recorded, str):
        data = bytes.fromhex(recorded)
        if len(data) > room:
            raise ValueError(f"{len(data)} bytes do not fit into {room}")
        _ffi.buffer(value, len(data))[:] = data
        return
    if len(recorded) * _ffi.sizeof(item) > room:
        raise ValueError(f"{len(recorded)} items do not fit into {room // _ffi.sizeof(item)}")
    for index, one in enumerate(recorded):
        if item.kind == "struct":
            _fill(value[index], one)
        else:
            value[index] = one


def _count(value: Any) -> int:
    return len(value) if _ffi.typeof(value).kind == "array" else 1


def _items(value: Any) -> Any:
    return (value[index] for index in range(_count(value)))


def _structure(value: Any) -> dict[str, Any]:
    """The fields that are not zero, by name; pointers to text are text."""
    found: dict[str, Any] = {}
    for name, about in _ffi.typeof(value).fields:
        one = _field(getattr(value, name), about.type) if name not in NOT_SHOWN else None
        if one:
            found[name] = one
    return found


def _field(value: Any, kind: Any) -> Any:
    if kind.kind == "primitive":
        return int(value)
    if kind.kind == "array":
        data = bytes(_ffi.buffer(value))
        return data.rstrip(b"\0").hex() if _ffi.sizeof(kind.item) == 1 else list(value)
    if kind.kind == "pointer" and value != _ffi.NULL:
        if kind.item.cname == "char":
            return _ffi.string(value).decode("latin-1")
        if kind.item.cname == "char *":
            return _texts(value)
    return None


def _texts(vector: Any) -> list[str]:
    found: list[str] = []
    while vector[len(found)] != _ffi.NULL:
        found.append(_ffi.string(vector[len(found)]).decode("latin-1"))
    return found


def _fill(value: Any, recorded: dict[str, Any]) -> None:
    """Make a structure what it was; fields that are not recorded become zero, pointers stay."""
    for name, about in _ffi.typeof(value).fields:
        given = recorded.get(name)
        if about.type.kind == "primitive":
            setattr(value, name, given or 0)
        elif about.type.kind == "array":
            _fill_array(getattr(value, name), about.type, given)


def _fill_array(array: Any, kind: Any, given: Any) -> None:
    view = _ffi.buffer(array)
    view[:] = bytes(len(view))
    if isinstance(given, str):
        view[: len(given) // 2] = bytes.fromhex(given)
    elif given:
        for index, one in enumerate(given):
            array[index] = one
