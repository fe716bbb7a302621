"""lldb's Python API on an Objective-C program, with GNU's runtime where clang and it are at hand.

lldb 19 cannot send messages there, whatever the server (it looks for objc_msgSend, which this runtime has not); what is
asked here is what works with lldb-server, too: values, memory, expressions of C.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.clients import LLDB
from tests.e2e.conftest import Debug, require_client
from tests.e2e.servers import find, start_server
from tests.e2e.session import KILL, Session, Step
from tests.programs import SOURCES


def python(code: str, *sees: str) -> Step:
    return Step(None, f"script {code}", lldb_sees=sees)


def folder_of(file: str) -> Path:
    """Where gcc keeps a file of its own."""
    said = subprocess.run(["gcc", f"-print-file-name={file}"], capture_output=True, text=True, check=True).stdout
    return Path(said.strip()).parent


@pytest.fixture
def program(tmp_path: Path) -> Path:
    require_client(LLDB.name)
    compiler = find(["clang-19", "clang"])
    if compiler is None:
        pytest.skip("clang is not installed")
    runtime = folder_of("libobjc.so")
    if not (runtime / "include" / "objc").is_dir():
        pytest.skip("GNU's Objective-C runtime (libobjc-12-dev) is not installed")
    path = tmp_path / "person"
    words = [compiler, "-g", "-O0", f"-I{runtime / 'include'}", f"-L{runtime}", str(SOURCES / "person.m"), "-lobjc"]
    subprocess.run([*words, "-o", str(path)], check=True, timeout=60)
    return path


@pytest.fixture
def session(debug: Debug, program: Path, request: pytest.FixtureRequest) -> Session:
    server = start_server("lldb", [program])
    request.addfinalizer(server.close)
    session = debug.client(LLDB, program)
    session.server = server
    session.connect()
    session.run(Step(None, "breakpoint set -n look", r"Breakpoint 1"), Step(None, "continue", r"look"))
    return session


def test_an_object_is_walked(session: Session) -> None:
    session.run(
        python("options = lldb.SBExpressionOptions()"),
        python("options.SetLanguage(lldb.eLanguageTypeObjC)"),
        python("options.SetTimeoutInMicroSeconds(10000000)"),
        python("value = lldb.frame.EvaluateExpression('person', options)"),
        python("print(value.GetError().Success(), value.GetTypeName())", r"True Person \*"),
        python("person = value.Dereference()"),
        python(
            "print([child.GetName() for child in person])",
            r"\['Object', 'first_name', 'last_name', 'age', 'eyes', 'friend'\]",
        ),
        python("print(value.GetValueForExpressionPath('->first_name').GetSummary())", r'"Derek"'),
        python("print(value.GetValueForExpressionPath('->friend->last_name').GetSummary())", r'"Lovelace"'),
        python("print(person.GetChildMemberWithName('age').GetValueAsSigned())", r"^41$"),
        python("print(list(person.GetChildMemberWithName('eyes').GetData().uint8))", r"\[150, 75, 0\]"),
        *KILL,
    )


def test_its_memory_is_a_class_pointer_and_the_rest(session: Session) -> None:
    session.run(
        python("error = lldb.SBError()"),
        python("address = lldb.frame.FindVariable('person').GetValueAsUnsigned()"),
        python("isa = lldb.process.ReadPointerFromMemory(address, error)"),
        python("print(lldb.target.ResolveLoadAddress(isa).GetSymbol().GetName())", r"(?i)person"),
        python("name = lldb.process.ReadPointerFromMemory(address + 8, error)"),
        python("print(lldb.process.ReadCStringFromMemory(name, 64, error))", r"^Derek$"),
        Step(None, "expression -l c -- (int)puts((const char *)person->first_name) > 0", r"= (1|true)$|error"),
        Step(None, "next", r"Process \d+ stopped"),
        *KILL,
    )
