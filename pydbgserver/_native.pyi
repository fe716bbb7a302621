"""The compiled C core; its typed views live with their callers (see `pydbgserver.native`)."""

from typing import Any

ffi: Any
lib: Any
