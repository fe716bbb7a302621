"""The command: ``pydbgserver`` and ``python -m pydbgserver``."""

from __future__ import annotations

import sys

from pydbgserver.cli import arguments
from pydbgserver.errors import DebugError, UsageError
from pydbgserver.options import Answer, Options, Task


def main() -> int:
    """Run the command line of this process; gives its exit status."""
    options: Options | None = None
    try:
        asked = arguments.parse(sys.argv[1:])
        if isinstance(asked, Answer):
            sys.stdout.write(asked.text)
            return asked.status
        if isinstance(asked, Task):
            return asked.run()
        options = asked
        from pydbgserver.cli.start import start

        start(options)
    except (UsageError, DebugError) as error:
        from pydbgserver.cli.start import report_failure

        report_failure(error, options)
        return 1
    except KeyboardInterrupt:  # Before the event loop takes it; what was started is let go by then.
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
