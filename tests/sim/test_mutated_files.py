"""Requests that change files or start commands, with every field mangled: one reply each, the session lives on.

Such requests are put together rather than mutated byte by byte: whatever is a path lies in a folder of the test's own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pydbgserver import logs
from tests.sim.conversation import Conversation, gdb, lldb

FOLDER = b"FOLDER"
"""Stands for the hex digits of the folder's name, which are known when the test runs."""

NAMES = st.sampled_from([b"/a", b"/b", b"/c/d", b"/a/", b"/" + b"n" * 300, b"/\0", b"/\xff", b"/%s", b"/..."])
GARBAGE = st.sampled_from([b"", b"-", b"-1", b"zz", b"}", b"\xff", b"1" * 40, b"7fffffffffffffff", b"ffffffff"])
PATHS = NAMES.map(lambda name: FOLDER + name.hex().encode()) | st.sampled_from([b"", b"2", b"zz", b"2f2"])
NUMBERS = st.sampled_from([b"0", b"1", b"2", b"3", b"40000601", b"602", b"1ff", b"12a"]) | GARBAGE
DATA = st.binary(max_size=8).map(lambda data: data.translate(None, b"#$*"))
COMMANDS = st.sampled_from([b"", b"true", b"exit 7", b"kill -9 $$", b"printf '#$}*'"]).map(
    lambda one: one.hex().encode()
)
DELIMITERS = st.sampled_from([b",", b",", b",", b",", b";", b":", b""])

FORMS: dict[bytes, tuple[st.SearchStrategy[bytes], ...]] = {
    b"vFile:open": (PATHS, NUMBERS, NUMBERS),
    b"vFile:pwrite": (NUMBERS, NUMBERS, DATA),
    b"vFile:pread": (NUMBERS, NUMBERS, NUMBERS),
    b"vFile:close": (NUMBERS,),
    b"vFile:fstat": (NUMBERS,),
    b"vFile:unlink": (PATHS,),
    b"vFile:symlink": (PATHS, PATHS),
    b"vFile:mode": (PATHS,),
    b"vFile:size": (PATHS,),
    b"qPlatform_mkdir": (NUMBERS, PATHS),
    b"qPlatform_chmod": (NUMBERS, PATHS),
    b"qPlatform_shell": (COMMANDS | GARBAGE, NUMBERS, PATHS),
    b"qPathComplete": (NUMBERS, PATHS),
}


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    name = draw(st.sampled_from(sorted(FORMS)))
    fields = [draw(field) for field in FORMS[name]][: draw(st.sampled_from([4, 4, 2, 1, 0]))]
    body = name + (b":" if draw(st.integers(0, 9)) else b"")
    for index, field in enumerate(fields):
        body += (draw(DELIMITERS) if index else b"") + field
    return body


@pytest.mark.parametrize("connect", [gdb, lldb])
@settings(max_examples=150, deadline=None)
@given(bodies=st.lists(requests(), min_size=1, max_size=12))
def test_one_reply_each_and_nothing_unfinished_left(connect: Callable[[], Conversation], bodies: list[bytes]) -> None:
    problems: list[str] = []
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        patch.setattr(logs, "problem", problems.append)
        talk = connect()
        for body in bodies:
            assert isinstance(talk.raw(body.replace(FOLDER, os.fsencode(name).hex().encode())), bytes), body
            assert problems == [], body
        assert talk.ask("vMustReplyEmpty") == ""
        talk.session.connection_lost()
        assert not list(Path(name).rglob(".upload-*"))
