"""A server on the made-up Mac of the unit tests: ``python -m tests.e2e.made_up_mac arm64`` (or x86_64)."""

from __future__ import annotations

import os
import sys

from pydbgserver.cli.start import session_options
from pydbgserver.options import TCP, Endpoint, Options
from pydbgserver.server import serve
from pydbgserver.server.listen import open_listener
from tests.unit.macos.fake_mach import ARM64, PID, TID, X86_64, FakeMach, make
from tests.unit.macos.test_host_and_maps import with_images

CPUS = {"arm64": ARM64, "x86_64": X86_64}
FLOAT = 17
"""ARM_NEON_STATE64 and x86_AVX_STATE64 have the same flavor."""


class Waiting(FakeMach):
    """Nothing happens by itself: the descriptor never becomes readable."""

    def mach_open(self) -> int:
        reading, self.writing = os.pipe()
        return reading


def prepare(fake: FakeMach) -> None:
    with_images(fake)
    states = fake.tasks[PID].threads[TID]
    states[FLOAT] = bytes(range(16)) + states[FLOAT][16:]


def main(cpu: str) -> None:
    _, backend, _ = make(CPUS[cpu], prepare=prepare, kind=Waiting)
    options = Options(style="lldb", endpoint=Endpoint(kind=TCP, host="127.0.0.1", port=0), once=True)
    listener = open_listener(options.endpoint)
    try:
        print(f"Listening on port {listener.port}", flush=True)
        serve.run(options, session_options(options), backend, listener)
    finally:
        listener.close()


if __name__ == "__main__":
    main(sys.argv[1])
