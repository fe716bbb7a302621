"""Transcripts on disk."""

from __future__ import annotations

from collections.abc import Mapping

from pydbgserver.rsp.bodies import parse_bodies
from pydbgserver.rsp.transcript import Transcript, TranscriptError, parse
from pydbgserver.transcripts.recorder import BODIES_SUFFIX


def load(path: str) -> Transcript:
    """The transcript in the file `path`, with the bodies of its side file. Raises `TranscriptError`."""
    return parse(_read(path), path, lambda: _bodies(path + BODIES_SUFFIX))


def _bodies(path: str) -> Mapping[bytes, bytes]:
    return parse_bodies(_read(path), path)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise TranscriptError(path, 0, f"cannot be read: {error.strerror}") from None
