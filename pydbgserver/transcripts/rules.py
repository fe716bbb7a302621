"""How the replies to each packet are compared.

The rules are data: `TREATMENTS` by packet, and the lines ``match: PACKET TREATMENT`` of a transcript's header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydbgserver.rsp.transcript import Transcript, TranscriptError
from pydbgserver.transcripts.state import memory_read

EXACT, ITEMS, FEATURES, WORDS = "exact", "items", "features", "words"
PLACES, THREADS, FORM, IGNORE, FIELDS = "places", "threads", "form", "ignore", "fields"

TREATMENTS: Mapping[str, str] = {
    # The features a server has, in whatever order; sizes are its own choice. A recorded client makes no use
    # of what came later.
    "qSupported": FEATURES,
    # Bytes of the target, in words of a pointer's size: addresses and stack protector values may differ.
    "m": WORDS, "x": WORDS, "g": WORDS, "p": WORDS,
    "vCont?": ITEMS,
    # Numbers and names of the machine.
    "qHostInfo": FORM, "qProcessInfo": FORM, "qProcessInfoPID": FORM, "qfProcessInfo": FORM, "qsProcessInfo": FORM,
    # Where the kernel has put the program, its stack and its own library.
    "qXfer:auxv:read": PLACES,
    # In non-stop mode gdb learns here which processes there are.
    "qXfer:threads:read": THREADS,
    "qXfer:siginfo:read": FORM, "qXfer:exec-file:read": FORM,
    "qXfer:libraries-svr4:read": FORM, "jThreadsInfo": FORM, "jModulesInfo": FORM, "jLoadedDynamicLibrariesInfos": FORM,
    "vFile:fstat": FORM, "vFile:stat": FORM, "vFile:lstat": FORM, "vFile:pread": FORM, "qMemoryRegionInfo": FORM,
    "qModuleInfo": FORM, "qGetWorkingDir": FORM, "qRcmd": FORM, "qThreadExtraInfo": FORM, "qFileLoadAddress": FORM,
    # The server leads this conversation.
    "qSymbol": IGNORE,
    "_M": FORM, "QSaveRegisterState": FORM, "qUserName": FORM, "qGroupName": FORM, "qGetPid": FORM,
}  # fmt: skip

OUTPUT = "output"
"""Stands for the debuggee's output where a packet's name is expected; it is compared or ignored."""

TREATMENT_NAMES = (EXACT, ITEMS, FEATURES, WORDS, PLACES, THREADS, FORM, IGNORE, FIELDS)

_PLACE = re.compile("memory ([0-9a-f]+)-([0-9a-f]+)")
"""In the place of a packet's name: every read of memory that touches these addresses."""


class Rules:
    """How replies are compared: the built-in rules and those of one transcript. Raises `TranscriptError`."""

    def __init__(self, transcript: Transcript | None = None, *, exact: bool = False) -> None:
        self.exact = exact
        self._treatments = dict(TREATMENTS)
        self._places: list[tuple[int, int, str]] = []
        lines = (transcript.header.get("match", "") if transcript else "").splitlines()
        numbers = [*(transcript.header_lines.get("match", ()) if transcript else ()), *(0 for _ in lines)]
        for number, line in zip(numbers, lines, strict=False):
            name, _, treatment = line.strip().rpartition(" ")
            place = _PLACE.fullmatch(name)
            if treatment not in TREATMENT_NAMES or not name or (name.startswith("memory") and place is None):
                assert transcript is not None
                why = f"'match: {line}': PACKET and one of {', '.join(TREATMENT_NAMES)} are expected"
                raise TranscriptError(transcript.file, number, why)
            if place is not None:
                self._places.append((int(place[1], 16), int(place[2], 16), treatment))
            else:
                self._treatments[name] = treatment

    def treatment(self, name: str, request: bytes = b"") -> str:
        """How the replies to `request`, a packet `name` of the transcript, are compared."""
        if self.exact:
            return EXACT
        read = memory_read(request) if self._places else None
        if read is not None:
            start, end = read[0], read[0] + read[1]
            for low, high, treatment in self._places:
                if start < high and low < end:
                    return treatment
        return self._treatments.get(name, FIELDS)
