"""The simulation of macOS: native/mach_*.c over native/macos_sim. Test equipment, not installed with the product."""

from typing import Any

ffi: Any
lib: Any
