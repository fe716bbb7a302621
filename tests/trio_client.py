"""The reading half of a client over a trio stream, for tests of what serves one."""

from __future__ import annotations

import trio


class PacketStream:
    """One end of a connection. `buffer`: what has come and not been taken."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = b""

    async def reply(self) -> bytes:
        """The body of the next frame; what comes before it is skipped. Raises `EOFError`."""
        while b"#" not in self.buffer[:-2]:
            data = await self.stream.receive_some()
            if not data:
                raise EOFError(self.buffer)
            self.buffer += bytes(data)
        body, _, rest = self.buffer.partition(b"#")
        self.buffer = rest[2:]
        return body.partition(b"$")[2]
