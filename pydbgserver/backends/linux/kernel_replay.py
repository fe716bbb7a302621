"""Stands for the kernel: answers the backend's calls from those of a recorded session. No ptrace, no process.

What changes something (a resume, a trap, a write) and what has happened (a wait's stops) has to come in the recorded
order. What only asks is answered by what was recorded between the same two of those, or else near it.
"""

from __future__ import annotations

import errno
import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydbgserver.backends.linux import system
from pydbgserver.backends.linux.kernel_calls import Call, argument, is_buffer, restore, to_json
from pydbgserver.backends.linux.kernel_recording import PREFIX, SILENT, WAITS, put_between

QUESTIONS = ("linux_read_", "linux_threads", "linux_running", "linux_cpuid")
"""How the names of calls begin that change nothing; `system`'s are others, but for `CHANGES`."""

CHANGES = frozenset({"send_signal"})

ARGUMENTS_VARY = WAITS | {"linux_launch"}
"""What they are called with differs from machine to machine: budgets, the terminal."""

STARTS = frozenset({"linux_launch", "linux_attach"})

BYTES = frozenset({"read_file", "read_at"})
"""Calls of `system` that give bytes, which are recorded as text."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A call, and the line of the file that it is on."""

    line: int
    call: Call


class KernelReplay:
    """`deviation`: what the backend has done that it did not do in the recording, "" if nothing. `limit`: the line
    before which everything has happened; a wait that is recorded after it has nothing to tell yet."""

    def __init__(self, calls: Sequence[Numbered]) -> None:
        self._calls = calls
        self._effects = [index for index, one in enumerate(calls) if not is_question(one.call.name)]
        self._done = 0
        """How many of `_effects` have been."""
        self._by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, one in enumerate(calls):
            if is_question(one.call.name):
                self._by_key[one.call.key].append(index)
        self._used: set[int] = set()
        self.limit = 0
        self.deviation = ""

    def install(self) -> None:
        """Answer the backend's calls from now on; see `kernel_recording.put_between`."""
        put_between(lambda name, _: self._answer_c(name) if name.startswith(PREFIX) else self._answer_system(name))

    @property
    def started(self) -> tuple[int, bool] | None:
        """The first call, if it starts or attaches to a process: its pid, and whether it attached. It has been then."""
        call = self._next_effect()
        if call is None or call.name not in STARTS:
            return None
        self._done += 1
        attached = call.name == "linux_attach"
        return (int(call.arguments[0]) if attached else int(call.result)), attached

    @property
    def stop_is_next(self) -> bool:
        """Whether the next thing to happen is a stop, and it has happened by now."""
        call = self._next_effect()
        return call is not None and call.name in WAITS and self._calls[self._effects[self._done]].line < self.limit

    # Answers.

    def _answer_c(self, name: str) -> Any:
        def call(*given: Any) -> Any:
            if name in SILENT:
                return 0
            found = self._find(name, [argument(one) for one in given])
            if found is None:
                return 0 if name in WAITS else -errno.ENOSYS
            for index, recorded in found.out.items():
                if int(index) < len(given) and is_buffer(given[int(index)]):
                    restore(given[int(index)], recorded)
            return found.result

        return call

    def _answer_system(self, name: str) -> Any:
        def call(*given: Any) -> Any:
            found = self._find(name, list(given))
            if found is None:
                raise OSError(errno.ENOSYS, "not in the recording")
            if isinstance(found.result, dict):
                raise OSError(found.result["errno"], os.strerror(found.result["errno"]))
            return found.result.encode("latin-1") if name in BYTES else found.result

        return call

    def _find(self, name: str, arguments: list[Any]) -> Call | None:
        call = self._question(name, arguments) if is_question(name) else self._effect(name, arguments)
        if call is None and name not in WAITS and not self.deviation:
            self.deviation = f"{name} {to_json(arguments)[:200]}"
        return call

    def _next_effect(self) -> Call | None:
        return self._calls[self._effects[self._done]].call if self._done < len(self._effects) else None

    def _effect(self, name: str, arguments: list[Any]) -> Call | None:
        call = self._next_effect()
        if name in WAITS and not self.stop_is_next:
            return None
        if call is None or call.name != name or (name not in ARGUMENTS_VARY and call.arguments != arguments):
            return None
        self._done += 1
        return call

    def _question(self, name: str, arguments: list[Any]) -> Call | None:
        """The first of the same question since the last effect that has not been used; else any since then; else the
        nearest one, later ones first."""
        asked = self._by_key.get((name, to_json(arguments)))
        if not asked:
            return None
        begin = self._effects[self._done - 1] if self._done else -1
        end = self._effects[self._done] if self._done < len(self._effects) else len(self._calls)
        first, last = bisect_right(asked, begin), bisect_right(asked, end)
        here = asked[first:last]
        chosen = next((index for index in here if index not in self._used), None)
        if chosen is None:
            chosen = here[-1] if here else asked[last] if last < len(asked) else asked[-1]
        self._used.add(chosen)
        return self._calls[chosen].call

    @property
    def place(self) -> str:
        """Where the recording goes on."""
        if self._done == len(self._effects):
            return "after the end of the recording"
        one = self._calls[self._effects[self._done]]
        return f"line {one.line}: {one.call.name} {to_json(one.call.arguments)[:200]}"


def is_question(name: str) -> bool:
    """Whether the call of that name changes nothing."""
    return name.startswith(QUESTIONS) or (name in system.CALLS and name not in CHANGES)
