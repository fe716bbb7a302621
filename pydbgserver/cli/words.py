"""What the command line has to say, and the names of log channels in both servers' terms."""

from __future__ import annotations

from pydbgserver.errors import UsageError
from pydbgserver.options import Answer

HELP = """\
Usage:  pydbgserver [OPTIONS] COMM PROG [ARGS ...]
        pydbgserver [OPTIONS] --attach COMM PID
        pydbgserver [OPTIONS] --multi COMM
        pydbgserver gdbserver [OPTIONS] [[HOST]:PORT | URL] [[--] PROG ARGS ...]
        pydbgserver proxy LISTEN TARGET --record FILE
        pydbgserver replay FILE --server COMM | --client COMM
        pydbgserver show FILE [--html OUT]
        pydbgserver debugserver [OPTIONS] [HOST]:PORT [--attach=PID|NAME | [--] PROG ARGS ...]
        pydbgserver platform --server --listen [HOST]:PORT [-- PROG ARGS ...]
        pydbgserver version

A debug server for gdb and lldb. The first three forms are gdbserver's, the next two are lldb-server's.

COMM is where the client connects:
  :PORT              this machine only; port 0 lets the kernel choose, the port is printed
  HOST:PORT          that address; 0.0.0.0:PORT or [::]:PORT for everybody (tcp:, tcp4:, tcp6: may precede)
  /path/to/socket    a unix socket
  /dev/ttyS0         a serial line
  - or stdio         standard input and output
  tcp://, unix://, unix-abstract://, listen://, connect://, unix-connect://, serial://...   lldb's URLs

Examples:
  pydbgserver :1234 ./prog arg          gdb ./prog -ex 'target remote :1234'
                                        lldb ./prog -o 'gdb-remote 1234'
  pydbgserver --attach :1234 4711       the same commands, for a process that runs
  pydbgserver --multi :1234             gdb -ex 'target extended-remote :1234', then run or attach
  over ssh, without a port:             gdb ./prog -ex 'target remote | ssh board pydbgserver - ./prog'
  in a container:                       docker run --cap-add=SYS_PTRACE -p 127.0.0.1:1234:1234 IMAGE \\
                                            pydbgserver 0.0.0.0:1234 ./prog
  for the processes that lldb starts:   LLDB_DEBUGSERVER_PATH=$(command -v pydbgserver) lldb ./prog

Operating modes:
  --attach                       attach to the running process PID
  --multi                        start without a program, and stay when the last one has ended
  --once                         end with the first connection
  --on-disconnect=detach|kill|stop
                                 what becomes of the target when a client vanishes. Otherwise: what ran runs on,
                                 freed of breakpoints, until the next client comes; what was launched and stopped
                                 stays stopped
  --backend=NAME                 linux on Linux, macos on a Mac (not yet run on a Mac); macos-sim is test equipment
  --version, --help

Starting programs:
  --wrapper WRAPPER ... --       run PROG through this command
  --startup-with-shell           start PROG through $SHELL, which expands ARGS (default)
  --no-startup-with-shell        execute PROG directly
  --disable-randomization        switch address space randomization off for PROG (default)
  --no-disable-randomization     leave it on

Recording:
  --record=FILE                  write down what client and server say; see `pydbgserver show --help`
  --record-level=packets|kernel  kernel: and every call to the kernel, for a replay without it

Logging:
  --debug                        every channel
  --log-channels=LIST            of packets, ptrace, events, breakpoints
  --log-file=PATH, --debug-file=PATH    where to; otherwise stderr
  --debug-format=all|none|timestamp
  --remote-debug, --event-loop-debug    the channels packets, events
  --disable-packet[=LIST]        do as if some packets were unknown; without a list, name them

After "gdbserver" (options may be anywhere before --):
  --attach PID|NAME              attach to a running process
  --fd N                         N is a connected socket
  --pipe N, --named-pipe PATH    write the port there, as text with a NUL after it
  --reverse-connect              connect to HOST:PORT instead of listening
  --setsid, -S                   run in a new session
  --log-channels, --log-file     as above; lldb's channel names do as well
  --native-regs                  accepted, without effect

After "debugserver", or with one of its options first (Apple's command line, as lldb has it on a Mac):
  --attach, --waitfor, --fd, --named-pipe, --unix-socket, --reverse-connect, --setsid, --working-dir, --env,
  --forward-env, --stdio-path, --stdin-path, --stdout-path, --stderr-path, --no-stdio, --disable-aslr, --arch,
  --kill-on-error, --unmask-signals; accepted without effect: --native-regs, --launch, --log-flags, --platform

After "platform" (lldb: platform select remote-linux, then platform connect connect://HOST:PORT):
  --listen, -L [HOST]:PORT|URL   where platform and debug connections come, all to this one port
  --server                       go on when the first client has gone
  --socket-file, -f PATH         write the port there
  --port-offset, -p N            tell clients a port that is higher by N
  --gdbserver-port, --min-gdbserver-port, --max-gdbserver-port    accepted, without effect
  PROG ARGS ...                  every client finds this program, stopped at its first instruction
"""

CHANNELS = ("packets", "ptrace", "events", "breakpoints")

# The words of lldb's --log-channels ("lldb all:gdb-remote packets") that mean something here.
LLDB_CATEGORIES = {
    "gdb-remote": (),
    "lldb": (),
    "posix": (),
    "linux": (),
    "default": ("packets",),
    "all": CHANNELS,
    "async": ("events",),
    "break": ("breakpoints",),
    "event": ("events",),
    "process": ("ptrace",),
    "state": ("events",),
    "step": ("ptrace",),
    "thread": ("ptrace",),
    "watch": ("breakpoints",),
    "memory": ("ptrace",),
    "registers": ("ptrace",),
    "comm": ("packets",),
}


def channels(text: str) -> tuple[str, ...]:
    """Log channels from ``packets,ptrace`` or from lldb's ``gdb-remote packets:lldb break``. Raises `UsageError`.

    The categories of lldb that have no counterpart are left out; a word that is neither is an error only in our form.
    """
    found: list[str] = []
    lldb_form = any(separator in text for separator in " :")
    for word in text.replace(":", " ").replace(",", " ").split():
        if word in CHANNELS:
            found.append(word)
        elif word in LLDB_CATEGORIES:
            found += LLDB_CATEGORIES[word]
        elif not lldb_form:
            raise UsageError(f"no log channel {word}; there are {', '.join(CHANNELS)}")
    return tuple(dict.fromkeys(found))


def version() -> str:
    """The version of the installed distribution."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("pydbgserver")
    except PackageNotFoundError:
        return "(run from its source tree)"


def version_answer() -> Answer:
    """--version."""
    return Answer(text=f"pydbgserver {version()}\n")


def selftest_answer() -> Answer:
    """--selftest, which gdbserver answers like this in every release build."""
    return Answer(text="Selftests have been disabled for this build.\n")


def help_answer() -> Answer:
    """--help."""
    return Answer(text=HELP)
