"""Replays a session of the Linux backend without a kernel: what `replay --kernel` does."""

from __future__ import annotations

import os
import shlex

from pydbgserver.backends.linux.kernel_calls import parse_call
from pydbgserver.backends.linux.kernel_replay import KernelReplay, Numbered
from pydbgserver.errors import UsageError
from pydbgserver.options import Options
from pydbgserver.rsp.transcript import Mark, Transcript, TranscriptError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pydbgserver.transcripts.play_client import Result


def replay(transcript: Transcript) -> Result:
    """Play client and kernel of `transcript`, recorded at the level `kernel`, against the backend. To be called once in
    a process, before the backend is imported. Raises `TranscriptError`."""
    kernel = KernelReplay(_calls(transcript))
    options = _options(transcript)
    kernel.install()
    from pydbgserver.backends.linux.backend import LinuxBackend
    from pydbgserver.backends.linux.spawn import Started
    from pydbgserver.cli.start import session_options
    from pydbgserver.transcripts.play_kernel import KernelPlayer

    started = kernel.started
    backend = LinuxBackend()
    if started is not None:
        pid, attached = started
        backend.adopt(Started(pid, attached=attached, terminal=os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)))
    import pydbgserver.handlers  # noqa: F401 - importing it registers the packets
    from pydbgserver.session.session import Session

    return KernelPlayer(transcript, Session(backend, session_options(options)), kernel).run()


def _calls(transcript: Transcript) -> list[Numbered]:
    found = []
    for line in transcript.lines:
        if line.mark is Mark.KERNEL:
            try:
                found.append(Numbered(line.number, parse_call(line.body)))
            except ValueError as error:
                raise TranscriptError(transcript.file, line.number, f"not a call to the kernel: {error}") from None
    if not found:
        raise TranscriptError(transcript.file, 0, "recorded without calls to the kernel (--record-level=kernel)")
    return found


def _options(transcript: Transcript) -> Options:
    """The settings that the recording server had."""
    from pydbgserver.cli import arguments

    try:
        options = arguments.parse(shlex.split(transcript.header.get("command", "")))
    except (UsageError, ValueError) as error:
        raise TranscriptError(transcript.file, 0, f"'command: ...' of the header: {error}") from None
    if not isinstance(options, Options):
        raise TranscriptError(transcript.file, 0, "'command: ...' of the header starts no server")
    return options
