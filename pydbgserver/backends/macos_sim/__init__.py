"""Test equipment: the macOS backend on a Linux program. Its C core runs on a simulated Mach kernel (native/macos_sim).

Threads, memory, exceptions and registers come through Mach calls and Mach thread states, as on a Mac. The program is a
Linux one, however, so that what clients are to take it for is told as Linux has it: its libraries, its auxiliary
vector, its system, its signals. None of this is installed with the product.
"""
