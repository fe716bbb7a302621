"""Option tables: one row per option, and the two ways to read an argument list by them.

`import argparse` takes as long as half of the start of lldb-server, and neither of the two command lines follows its
rules.
"""

from __future__ import annotations

from pydbgserver.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from pydbgserver.options import Answer

    Draft: TypeAlias = dict[str, object]
    """Settings gathered so far, by their names in `Options`."""

    Apply: TypeAlias = Callable[[Draft, str], Answer | None]
    Row: TypeAlias = tuple[int, Apply]
    """Whether the option has a value, and what it does to the draft; an `Answer` ends the parsing."""

NONE, REQUIRED, OPTIONAL = range(3)
"""Whether an option has a value. REQUIRED: ``--x=v`` or ``--x v``. OPTIONAL: ``--x`` or ``--x=v``."""


def put(name: str, value: object) -> Row:
    """The option gives the setting `name` this `value`."""

    def apply(draft: Draft, _: str) -> None:
        draft[name] = value

    return NONE, apply


def take(name: str, convert: Callable[[str], object] = str) -> Row:
    """The option's value, converted, becomes the setting `name`."""

    def apply(draft: Draft, text: str) -> None:
        draft[name] = convert(text)

    return REQUIRED, apply


def ignore(value: int = NONE) -> Row:
    """Accepted for compatibility."""

    def apply(draft: Draft, _: str) -> None:
        return None

    return value, apply


def answer(make: Callable[[], Answer]) -> Row:
    """The option asks for words only."""

    def apply(draft: Draft, _: str) -> Answer:
        return make()

    return NONE, apply


def add_channels(draft: Draft, names: tuple[str, ...]) -> None:
    """Turn log channels on, beside those that are on."""
    before = draft.get("log_channels", ())
    assert isinstance(before, tuple)
    draft["log_channels"] = tuple(dict.fromkeys((*before, *names)))


def apply_option(
    rows: dict[str, Row], draft: Draft, argument: str, rest: list[str], unknown: Callable[[str], UsageError]
) -> Answer | None:
    """Carry out the option `argument`, taking its value off `rest` if it is not in it. Raises `UsageError`."""
    name, equals, value = argument.partition("=")
    row = rows.get(name)
    if row is None:
        raise unknown(argument)
    takes, apply = row
    if takes == NONE and equals:
        raise unknown(argument)
    if takes == REQUIRED and not equals:
        if not rest:
            raise UsageError(f"{name}: missing argument")
        value = rest.pop(0)
    return apply(draft, value)
