"""The signals that end whatever serves somebody."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import trio

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def heeded() -> list[signal.Signals]:
    """Those that our starter has not switched off (nohup; a shell's background jobs): these stay off."""
    return [one for one in ENDING_SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]


class Ending:
    """Notes whether one of them has come while there was no event loop to hear of it. A context manager.

    It is there for as long as trio runs, and longer: trio leaves SIGINT to whoever heeds it when it starts, so that a
    KeyboardInterrupt, were that the signal's action again before it has ended, would come amidst its own work.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in heeded()}
        return self

    def __exit__(self, *_: object) -> None:
        for number, action in self._before.items():
            signal.signal(number, action)

    def _note(self, number: int, frame: object) -> None:
        self.came = True


async def end_by_signal(
    whole: trio.CancelScope, before: Ending | None = None, *, task_status: trio.TaskStatus[None]
) -> None:
    """Cancel `whole` when one of them comes, or has come `before`."""
    import trio  # The lobby of the platform does without.

    with trio.open_signal_receiver(*heeded()) as signals:
        task_status.started()
        if before is not None and before.came:
            whole.cancel()
        async for _ in signals:
            whole.cancel()
