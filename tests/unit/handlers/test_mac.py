"""What lldb asks a Mac, and how a Mac's stops are told, over a made-up Mac."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pydbgserver.session.session import Session
from tests.sim.conversation import GDB13, LLDB19, Conversation, fields
from tests.sim.conversation import lldb as linux_lldb
from tests.unit.macos.fake_mach import ARM64, CODE, DATA, PID, TID, X86_64, FakeMach, make
from tests.unit.macos.test_host_and_maps import with_images


class Talk:
    """lldb or gdb connected to a session on the made-up Mac."""

    def __init__(self, cpu: int = X86_64, *, client: str = "lldb") -> None:
        self.fake, self.backend, self.process = make(cpu, prepare=with_images)
        self.session = Session(self.backend)
        lldb = ("QStartNoAckMode", LLDB19, "QThreadSuffixSupported", "QListThreadsInStopReply")
        hello = lldb if client == "lldb" else (GDB13, "QStartNoAckMode")
        for packet in hello:
            self.ask(packet)

    def ask(self, packet: str) -> str:
        reply = self.session.dispatch(packet.encode("latin-1"))
        assert reply is not None, packet
        return reply.decode("latin-1")

    def json(self, packet: str) -> Any:
        return json.loads(self.ask(packet + "]"))


def test_the_machine_as_debugserver_describes_it() -> None:
    told = fields(Talk(ARM64).ask("qHostInfo"))
    assert (told["cputype"], told["cpusubtype"], told["ostype"], told["vendor"]) == (str(ARM64), "2", "macosx", "apple")
    assert (told["addressing_bits"], told["watchpoint_exceptions_received"]) == ("47", "before")
    assert (told["os_version"], told["vm-page-size"], told["ptrsize"], told["endian"]) == (
        "14.5",
        "16384",
        "8",
        "little",
    )
    assert "triple" not in told
    told = fields(Talk(X86_64).ask("qHostInfo"))
    assert told["watchpoint_exceptions_received"] == "after" and "addressing_bits" not in told


def test_the_program_as_debugserver_describes_it() -> None:
    told = fields(Talk(ARM64).ask("qProcessInfo"))
    assert (told["pid"], told["cputype"], told["ostype"], told["vendor"]) == ("1f4", "100000c", "macosx", "apple")
    assert (told["real-uid"], told["ptrsize"]) == ("1f5", "8")


def test_the_list_of_images() -> None:
    talk = Talk(ARM64)
    assert talk.ask("qShlibInfoAddr") == f"{DATA + 0x100:x}"
    assert talk.ask("jGetLoadedDynamicLibrariesInfos:") == "OK"
    brief = talk.json('jGetLoadedDynamicLibrariesInfos:{"fetch_all_solibs":true,"report_load_commands":false}')
    assert [one["pathname"] for one in brief["images"]] == ["/Users/dev/prog", "", "/usr/lib/dyld"]
    (full,) = talk.json('jGetLoadedDynamicLibrariesInfos:{"fetch_all_solibs":true}')["images"]
    assert (full["load_address"], full["mod_date"], full["pathname"]) == (CODE, 5, "/Users/dev/prog")
    assert full["uuid"] == "00010203-0405-0607-0809-0A0B0C0D0E0F"
    assert (full["min_version_os_name"], full["min_version_os_sdk"]) == ("macosx", "11.0")
    assert full["mach_header"] == {
        "magic": 0xFEEDFACF, "cputype": ARM64, "cpusubtype": 0, "filetype": 2, "flags": 0x200085,
    }  # fmt: skip
    assert [one["name"] for one in full["segments"]] == ["__TEXT", "__DATA"]
    assert full["segments"][1] == {
        "name": "__DATA", "vmaddr": DATA, "vmsize": 4096, "fileoff": 4096, "filesize": 4096, "maxprot": 3,
    }  # fmt: skip


def test_images_by_address_and_by_array() -> None:
    talk = Talk(ARM64)
    chosen = talk.json(f'jGetLoadedDynamicLibrariesInfos:{{"solib_addresses":[{CODE},{DATA}]}}')
    assert [one["pathname"] for one in chosen["images"]] == ["/Users/dev/prog"]
    row = b"".join(number.to_bytes(8, "little") for number in (CODE, DATA + 0x400, 9))
    talk.process.write_memory(DATA + 0x800, row)
    listed = talk.json(f'jGetLoadedDynamicLibrariesInfos:{{"image_list_address":{DATA + 0x800},"image_count":1}}')
    assert [(one["pathname"], one["mod_date"]) for one in listed["images"]] == [("/Users/dev/prog", 9)]


def test_the_shared_cache() -> None:
    assert Talk(ARM64).json("jGetSharedCacheInfo:{}") == {
        "shared_cache_base_address": 0x180000000,
        "shared_cache_uuid": "00010203-0405-0607-0809-0A0B0C0D0E0F",
        "no_shared_cache": False,
        "shared_cache_private_cache": True,
    }


def test_what_the_libraries_know_of_a_thread() -> None:
    talk = Talk(ARM64)
    pthread, queue, specific = DATA + 0x600, DATA + 0x700, DATA + 0x600 + 224
    talk.process.write_memory(DATA + 0x100, pthread.to_bytes(8, "little"))
    talk.process.write_memory(DATA + 0x200, queue.to_bytes(8, "little"))
    talk.process.write_memory(specific + 8 * 4, (1 << 8 + 4).to_bytes(8, "little"))
    request = f'"thread":{TID},"plo_pthread_tsd_base_offset":224,"plo_pthread_tsd_entry_size":8,"dti_qos_class_index":4'
    assert talk.json(f"jThreadExtendedInfo:{{{request}}}") == {
        "tsd_address": specific,
        "requested_qos": {
            "enum_value": 0x19, "constant_name": "QOS_CLASS_USER_INITIATED", "printable_name": "User Initiated",
        },
        "pthread_t": pthread,
        "dispatch_queue_t": queue,
    }  # fmt: skip
    talk.process.write_memory(pthread + 16, (DATA + 0x900).to_bytes(8, "little"))
    by_pointer = talk.json(f'jThreadExtendedInfo:{{"thread":{TID},"plo_pthread_tsd_base_address_offset":16}}')
    assert by_pointer["tsd_address"] == DATA + 0x900


def test_exceptions_left_to_the_system() -> None:
    talk = Talk()
    assert talk.ask("QSetIgnoredExceptions:EXC_BAD_ACCESS|EXC_ARITHMETIC") == "OK"
    assert talk.ask("QSetIgnoredExceptions:EXC_BREAKPOINT").startswith("E")
    talk.fake.stops.append([talk.fake.stop(5)])
    talk.ask("vCont;c")
    assert talk.fake.options["ignored_exceptions"] == 1 << 1 | 1 << 3


def test_a_stop_reply_carries_the_exception() -> None:
    talk = Talk()
    talk.fake.stops.append([talk.fake.stop(6, signal=11, exception=1, codes=(1, 0xDEADBEEF))])
    reply = talk.ask("vCont;c")
    assert reply.startswith("T0bthread:p1f4.1a2b;")
    assert reply.endswith("metype:1;mecount:2;medata:1;medata:deadbeef;")
    (thread,) = json.loads(talk.ask("jThreadsInfo"))
    assert (thread["metype"], thread["medata"], thread["reason"]) == (1, [1, 0xDEADBEEF], "exception")
    assert talk.ask("qThreadStopInfo1a2b").count("medata:") == 2


def test_watchpoints_signals_and_interrupts_are_told_by_reason() -> None:
    talk = Talk()
    assert talk.ask(f"Z2,{DATA:x},8") == "OK"
    talk.fake.stops.append([talk.fake.stop(3, value=0, exception=6, codes=(1, 0))])
    assert "reason:watchpoint;" in talk.ask("vCont;c")
    talk.fake.stops.append([talk.fake.stop(1, signal=30, exception=5, codes=(0x10003, 30))])
    reply = talk.ask("vCont;c")
    assert reply.startswith("T1e") and "reason:signal;" in reply and "metype" not in reply
    talk.fake.stops.append([talk.fake.stop(5)])
    assert talk.ask("vCont;c").startswith("T11")


def test_signals_are_darwins() -> None:
    talk = Talk()
    listed = {one["signo"]: one["name"] for one in json.loads(talk.ask("jSignalsInfo"))}
    assert (listed[30], listed[10], listed[29], len(listed)) == ("SIGUSR1", "SIGBUS", "SIGINFO", 31)
    gdb = Talk(client="gdb")
    gdb.fake.stops.append([gdb.fake.stop(1, signal=29, exception=5, codes=(0x10003, 29))])
    assert gdb.ask("vCont;c").startswith("T8e")
    gdb.fake.stops.append([gdb.fake.stop(5)])
    gdb.ask("vCont;C1e")
    assert gdb.fake.log[-1] == ("resume", -1, -1, 0, 30)


def test_a_region_has_what_vmmap_says() -> None:
    told = fields(Talk().ask(f"qMemoryRegionInfo:{DATA:x}"))
    assert (told["permissions"], told["max-permissions"], told["share-mode"]) == ("rw", "rwx", "PRV")
    assert (told["type"], told["dirty-pages"]) == ("heap,malloc-tiny", "")


def test_monitor_maps_is_vmmap() -> None:
    talk = Talk(client="gdb")
    text = bytes.fromhex(talk.ask("qRcmd," + b"maps".hex())).decode()
    assert text.startswith("Virtual Memory Map of process 500\n")


@pytest.mark.parametrize(
    "packet",
    [
        "qShlibInfoAddr",
        "jGetLoadedDynamicLibrariesInfos:",
        "jGetSharedCacheInfo:{}]",
        "qSyncThreadStateSupported",
        "QSyncThreadState:64;",
    ],
)
def test_another_system_knows_nothing_of_it(packet: str) -> None:
    assert linux_lldb().ask(packet) == ""


def test_another_system_has_no_exceptions_to_ignore() -> None:
    class Without(Conversation):
        def __init__(self) -> None:
            super().__init__()
            self.backend.exception_types = {}

    assert Without().ask("QSetIgnoredExceptions:EXC_GUARD") == ""


def test_a_made_up_mac_is_never_asked_for_a_thread_that_is_gone() -> None:
    fake = FakeMach()
    assert fake.tasks[PID].threads.keys() == {TID}
    assert Talk().ask("QSyncThreadState:1a2b;") == "OK"
    assert Talk().ask("QSyncThreadState:9999;").startswith("E")


def test_what_macos_does_not_tell_of_is_not_promised() -> None:
    """No debugger hears of forks, of threads that begin or of threads that end."""
    gdb = Talk(client="gdb")
    offered = {"QThreadEvents+", "fork-events+", "vfork-events+", "exec-events+"}
    told = gdb.ask(f"qSupported:{';'.join(sorted(offered))}").split(";")
    assert offered.intersection(told) == {"exec-events+"}
    assert not [one for one in told if one.startswith("QThreadOptions")]
    assert not {"fork-events+", "vfork-events+"}.intersection(Talk().ask(LLDB19).split(";"))
