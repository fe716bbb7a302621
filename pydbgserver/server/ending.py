"""The signals that end whatever serves somebody."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import trio

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def heeded() -> list[signal.Signals]:
    """Those that our starter has not switched off (nohup; a shell's background jobs): these stay off."""
    return [one for one in ENDING_SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]


class Ending:
    """Notes whether one of them has come while there was no event loop to hear of it."""

    def __init__(self) -> None:
        self.came = False
        self._before: dict[signal.Signals, Any] = {}

    def heed(self) -> None:
        """From now on until `leave`."""
        self._before = {number: signal.signal(number, self._note) for number in heeded()}

    def leave(self) -> None:
        """They do again what they did before."""
        for number, action in self._before.items():
            signal.signal(number, action)

    def _note(self, number: int, frame: object) -> None:
        self.came = True


async def end_by_signal(
    whole: trio.CancelScope, before: Ending | None = None, *, task_status: trio.TaskStatus[None]
) -> None:
    """Cancel `whole` when one of them comes, or has come `before`, whose time is over then."""
    import trio  # The lobby of the platform does without.

    before = before or Ending()
    try:
        with trio.open_signal_receiver(*heeded()) as signals:
            task_status.started()
            if before.came:
                whole.cancel()
            async for _ in signals:
                whole.cancel()
    finally:
        before.leave()
