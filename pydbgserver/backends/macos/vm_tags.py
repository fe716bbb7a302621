"""What the kernel's numbers about regions mean: user tags, share modes, protections (<mach/vm_statistics.h>,
<mach/vm_region.h>, <mach/vm_prot.h>)."""

from __future__ import annotations

TAG_MALLOC, TAG_STACK = 1, 30

SM_EMPTY = 3

SHARE_MODES = {1: "COW", 2: "PRV", 3: "NUL", 4: "SHM", 5: "SHM", 6: "ALI", 7: "S/A", 8: "LPG"}
"""SM_COW, SM_PRIVATE, SM_EMPTY, SM_SHARED, SM_TRUESHARED, SM_PRIVATE_ALIASED, SM_SHARED_ALIASED, SM_LARGE_PAGE in
vmmap's words. vmmap also says ZER, which no single call of the kernel tells from PRV."""

TAG_NAMES = {
    0: "VM_ALLOCATE",
    1: "MALLOC",
    2: "MALLOC_SMALL",
    3: "MALLOC_LARGE",
    4: "MALLOC_HUGE",
    5: "SBRK",
    6: "MALLOC_REALLOC",
    7: "MALLOC_TINY",
    8: "MALLOC_LARGE_REUSABLE",
    9: "MALLOC_LARGE_REUSED",
    10: "Performance tool data",
    11: "MALLOC_NANO",
    12: "MALLOC_MEDIUM",
    13: "MALLOC_PROB_GUARD",
    20: "Mach message",
    21: "IOKit",
    30: "Stack",
    31: "Guard",
    32: "shared pmap",
    33: "dylib",
    34: "Obj-C dispatchers",
    35: "unshared pmap",
    40: "AppKit",
    41: "Foundation",
    42: "CoreGraphics",
    43: "CoreServices",
    44: "Java",
    45: "CoreData",
    51: "CoreAnimation",
    52: "CG image",
    60: "dyld private memory",
    61: "dyld malloc",
    62: "SQLite page cache",
    63: "JavaScriptCore",
    64: "JS JIT generated code",
    65: "JS JIT register file",
    70: "ImageIO",
    73: "Kernel Alloc Once",
    74: "libdispatch",
    75: "Accelerate",
    78: "Activity Tracing",
    80: "Corpse info",
    81: "ASL",
    82: "Swift runtime",
    83: "Swift metadata",
    88: "IOSurface",
    89: "libnetwork",
    90: "Audio",
    99: "Sanitizer",
    100: "IOAccelerator",
    230: "Rosetta",
}
"""User tags in vmmap's words; a tag that is not here is shown by its number."""

_HEAP_WORDS = {
    2: "heap,malloc-small",
    3: "heap,malloc-large",
    4: "heap,malloc-huge",
    5: "heap",
    6: "heap",
    7: "heap,malloc-tiny",
    8: "heap,malloc-large",
    9: "heap,malloc-large",
    11: "heap,malloc-nano",
    12: "heap,malloc-medium",
}


def region_types(tag: int, protection: int, share_mode: int) -> str:
    """`type:` of a region reply, in debugserver's words separated by commas; "" for what has no word."""
    if tag == TAG_STACK:
        return "stack" if protection else "stack-guard"
    if tag == TAG_MALLOC:
        if not protection:
            return "malloc-guard"
        return "malloc-reserved" if share_mode == SM_EMPTY else "malloc-metadata"
    return _HEAP_WORDS.get(tag, "")


def vmmap_type(tag: int, protection: int) -> str:
    """The first column of vmmap for memory that is no file."""
    if tag == TAG_STACK and not protection:
        return "STACK GUARD"
    if tag == TAG_MALLOC:
        return "MALLOC metadata" if protection else "MALLOC guard page"
    return TAG_NAMES.get(tag, f"Memory Tag {tag}")


def letters(protection: int) -> str:
    """ "rx" of VM_PROT_READ and VM_PROT_EXECUTE."""
    return "".join(letter for bit, letter in ((1, "r"), (2, "w"), (4, "x")) if protection & bit)


def protection_of(permissions: str) -> int:
    """VM_PROT bits of "rwx" letters."""
    return sum(bit for bit, letter in ((1, "r"), (2, "w"), (4, "x")) if letter in permissions)


def dashed(protection: int) -> str:
    """ "r-x" of the same bits."""
    return "".join(letter if protection & bit else "-" for bit, letter in ((1, "r"), (2, "w"), (4, "x")))
