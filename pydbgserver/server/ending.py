"""The signals that end whatever serves somebody."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trio

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def heeded() -> list[signal.Signals]:
    """Those that our starter has not switched off (nohup; a shell's background jobs): these stay off."""
    return [one for one in ENDING_SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]


async def end_by_signal(whole: trio.CancelScope, task_status: trio.TaskStatus[None]) -> None:
    """Cancel `whole` when one of them comes."""
    import trio  # The lobby of the platform does without.

    with trio.open_signal_receiver(*heeded()) as signals:
        task_status.started()
        async for _ in signals:
            whole.cancel()
