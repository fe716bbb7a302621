/* The Mach tracer as Python sees it: plain integers and caller-owned buffers.
 * Nothing here keeps a pointer after it returns. `pydbgserver.native.mach()`
 * gives the compiled calls: of the product on a Mac, of the simulation
 * (native/macos_sim) elsewhere.
 *
 * Results are >= 0, or negative:
 *   -1 .. -4095                  -errno
 *   -(0x10000 + code)            kern_return_t `code`, 1 .. 4095 (KERN_INVALID_ADDRESS is -0x10001)
 *   -(0x20000 + code)            MIG error -code (MIG_BAD_ARGUMENTS, -304, is -0x20130)
 *   -0x10000000 and below        minus a mach_msg code (MACH_RCV_TIMED_OUT is -0x10004003)
 * mach_error_words says any of them in words.
 *
 * Signals are Darwin's numbers, also in the simulation. Thread ids are those of
 * THREAD_IDENTIFIER_INFO: 64 bits, unique on the host, never used again.
 *
 * C owns what faces the kernel: task, thread and exception ports, suspend
 * counts, unanswered exceptions, planted traps, debug registers. Python owns
 * what faces the client: selected, reported and queued stops. */

/* Equal to enum linux_resume_kind. */
enum mach_resume_kind {
    MACH_CONTINUE = 0,
    MACH_STEP = 1,
    MACH_STOP = 2,
    MACH_RANGE_STEP = 3
};

enum mach_stop_kind {
    MACH_STOP_SIGNAL = 1,     /* EXC_SOFTWARE with EXC_SOFT_SIGNAL: `signal` */
    MACH_STOP_BREAKPOINT = 2, /* a trap planted by mach_insert_trap: pc is its address */
    MACH_STOP_HARDWARE = 3,   /* `value`: the slot of mach_set_hardware; from bit 8 on x86_64 each slot that was hit */
    MACH_STOP_STEP = 4,
    MACH_STOP_INTERRUPT = 5,
    MACH_STOP_EXCEPTION = 6,  /* any other: `signal` is the one that it becomes if nobody handles it */
    MACH_STOP_EXEC = 11,
    MACH_STOP_EXITED = 14,    /* `value`: the exit status */
    MACH_STOP_KILLED = 15,    /* `signal` */
    MACH_STOP_NONE_RESUMED = 16
};

/* One event. exception, code_count, codes: metype, mecount and medata of the
 * stop reply; exception 0 for a stop that is none (STEP carries its exception).
 * registers: the general register state (x86_THREAD_STATE64, ARM_THREAD_STATE64),
 * registers_size 0 if the thread is gone. */
typedef struct {
    int32_t pid;
    int32_t kind;
    int64_t tid;
    int32_t signal;
    int32_t exception;
    int32_t code_count;
    int32_t registers_size;
    uint64_t codes[4];
    uint64_t pc;
    uint64_t value;
    uint8_t registers[288];
} mach_stop;

/* pid or tid -1 matches every one. The leftmost action that matches a thread counts. */
typedef struct {
    int32_t pid;
    int32_t kind;
    int64_t tid;
    int32_t signal;
    int32_t reserved;
    uint64_t start;
    uint64_t end;
} mach_action;

/* Bit N-1 of pass_signals: signal N is delivered without a stop; of
 * program_signals: it may be delivered at all. Bit E of ignored_exceptions
 * (1 << EXC_BAD_ACCESS ...): that exception is left to the system, which makes
 * it a signal; it takes effect on processes held already, too. */
typedef struct {
    uint64_t pass_signals;
    uint64_t program_signals;
    uint32_t ignored_exceptions;
    int32_t report_execs;
    int32_t unattended; /* report nothing but exits */
    int32_t reserved;
} mach_options;

/* Where a launch or an attach failed. */
enum mach_stage {
    MACH_STAGE_NONE = 0,
    MACH_STAGE_SPAWN = 1,     /* posix_spawn: -errno of the program or a redirection */
    MACH_STAGE_DIRECTORY = 2,
    MACH_STAGE_TASK = 3,      /* task_for_pid: no entitlement, SIP, hardened runtime, no such process */
    MACH_STAGE_PORTS = 4,     /* the exception port */
    MACH_STAGE_PTRACE = 5,    /* PT_ATTACHEXC: EPERM is PT_DENY_ATTACH or another debugger, EBUSY is traced already */
    MACH_STAGE_STOP = 6,      /* the first stop did not come in time (-ETIMEDOUT) */
    MACH_STAGE_EXITED = 7     /* it ended before its last exec; exit_status as waitpid gives it */
};

/* How to start a program. NULL paths keep the server's descriptor; terminal: a
 * descriptor that becomes the three standard ones where no path is given, -1: none.
 * execs: how many further programs follow before the one to debug (0; 1 for a
 * shell, 1 for a wrapper). cpu_type 0: whatever the system prefers. Out: stage, exit_status. */
typedef struct {
    const char *path;
    char **argv;
    char **envp;
    const char *directory;
    const char *stdin_path;
    const char *stdout_path;
    const char *stderr_path;
    int32_t terminal;
    int32_t new_session;
    int32_t disable_aslr;
    int32_t execs;
    int32_t cpu_type;
    int32_t cpu_subtype;
    int32_t stage;
    int32_t exit_status;
} mach_launch_spec;

/* Why a write ended early (error; 0: it did not), and what could not be put
 * back: the range whose protection is not what it was, and the kernel's error. */
typedef struct {
    int32_t error;
    int32_t restore_error;
    uint64_t unrestored_start;
    uint64_t unrestored_size;
} mach_write_report;

/* vm_region_submap_info_64. Protections are VM_PROT bits (read 1, write 2, execute 4). */
typedef struct {
    uint64_t start;
    uint64_t size;
    uint64_t offset;
    int32_t protection;
    int32_t max_protection;
    int32_t user_tag;
    int32_t share_mode;
    int32_t external_pager;
    int32_t is_submap;
    int32_t depth;
    int32_t ref_count;
    uint32_t pages_resident; /* 0 unless `counted` */
    uint32_t pages_dirtied;
    uint32_t pages_swapped;
    int32_t reserved;
} mach_region;

typedef struct {
    int32_t pid;
    int32_t parent_pid;
    int32_t uid;
    int32_t gid;
    int32_t effective_uid;
    int32_t effective_gid;
    int32_t cpu_type;    /* 0x01000007 x86_64, 0x0100000c arm64; 0: not known */
    int32_t translated;  /* runs under Rosetta */
    char name[64];
    char path[1024];
} mach_process_description;

typedef struct {
    uint64_t load_address;
    uint64_t path_address;
    uint64_t modified;
} mach_image;

/* A descriptor (a kqueue over the exception ports and exits) that is readable
 * while mach_wait may have something to say. May be called again. */
int mach_open(void);
void mach_configure(const mach_options *options);
/* Every Mach and ptrace call is written to this descriptor as a line; -1: none. */
void mach_log_to(int fd);
/* `code`, a negative result, in words: "KERN_PROTECTION_FAILURE (2)"; the length of the text. */
int mach_error_words(int code, char *buffer, int size);
/* Port rights this process holds: for tests that count leaks. */
int mach_port_count(void);

/* The pid, stopped at its first instruction. */
int mach_launch(mach_launch_spec *spec);
/* The number of threads, all stopped; *stage says what failed. */
int mach_attach(int pid, int32_t *stage);
/* Lifts traps and debug registers, answers every exception, puts the exception ports back and lets it go. */
int mach_detach(int pid, int stopped);
int mach_kill(int pid);

/* In the order in which they were first seen; the count, which may exceed max. */
int mach_threads(int pid, int64_t *tids, int max);
/* How many threads were resumed. */
int mach_resume(const mach_action *actions, int count);
/* Collects stops, waiting at most budget_us and spinning for the first spin_us of it. 0: still running. */
int mach_wait(mach_stop *stops, int max, int64_t budget_us, int64_t spin_us);
/* Stops every thread; pid: the process that reports it (0: the first). */
int mach_interrupt(int pid);
/* Threads that run. */
int mach_running(void);

/* Bytes read: up to the first page that cannot be; traps hidden. */
int64_t mach_read_memory(int pid, uint64_t address, uint8_t *buffer, uint64_t size);
/* Bytes written, traps kept in place; an error only if there were none. */
int64_t mach_write_memory(int pid, uint64_t address, const uint8_t *buffer, uint64_t size, mach_write_report *report);
/* The target's page size. */
int mach_page_size_of(int pid);
int64_t mach_allocate_memory(int pid, uint64_t size, int protection);
int mach_free_memory(int pid, uint64_t address, uint64_t size);
/* 1: the region that holds the address; 0: none does, the next one above it. -ENOENT: there is none above.
 * counted: with page counts (the kernel walks the pages). */
int mach_region_at(int pid, uint64_t address, int counted, mach_region *region);
/* The path of the file mapped there; its length, 0: no file. */
int mach_region_path(int pid, uint64_t address, char *buffer, int size);
/* One int per page of VM_PAGE_QUERY bits (PRESENT 1, DIRTY 8, PAGED_OUT 0x10); the number of pages told. */
int64_t mach_page_dispositions(int pid, uint64_t address, uint64_t size, int32_t *dispositions, int64_t max);

int mach_insert_trap(int pid, uint64_t address, const uint8_t *code, int size, int pc_adjust);
/* 1 if there was one. */
/* 1, or 0 if there was none; < 0: there was one, and its memory cannot be read any more. In no case is there one
 * afterwards. */
int mach_remove_trap(int pid, uint64_t address);
int mach_lift_all(int pid);

enum mach_watch_kind {
    MACH_WATCH_EXECUTE = 0,
    MACH_WATCH_WRITE = 1,
    MACH_WATCH_READ = 2,
    MACH_WATCH_ACCESS = 3
};
/* Slots for EXECUTE, or for the other kinds. On x86_64 both are the same four. */
int mach_hardware_slots(int kind);
/* On every thread, also of threads to come; all or nothing. -EINVAL: no such slot, or none can hold the range: x86_64
 * holds 1, 2, 4 or 8 bytes aligned to themselves, arm64 any bytes within 8 aligned ones, or an aligned power of two.
 * READ is not to be had on x86_64. */
int mach_set_hardware(int pid, int slot, int kind, uint64_t address, uint64_t size);
int mach_clear_hardware(int pid, int slot, int kind);

/* thread_get_state and thread_set_state of `flavor`; the bytes of the state. */
int mach_read_state(int64_t tid, int flavor, uint8_t *buffer, int size);
int mach_write_state(int64_t tid, int flavor, const uint8_t *buffer, int size);
/* The thread's name; its length. */
int mach_thread_name(int64_t tid, char *buffer, int size);
/* pthread_t, dispatch queue address and THREAD_BASIC_INFO's run state: 3 values. */
int mach_thread_handles(int64_t tid, uint64_t *values);

/* address, size and format (0: 32, 1: 64 bits) of dyld_all_image_infos: 3 values. */
int mach_dyld_info(int pid, uint64_t *values);
/* The images of dyld_all_image_infos; the count, which may exceed max. -EAGAIN: dyld is changing the list. */
int mach_images(int pid, mach_image *images, int max);

/* Process ids of the host; the count, which may exceed max. */
int mach_list_processes(int32_t *pids, int max);
int mach_describe_process(int pid, mach_process_description *description);
/* KERN_PROCARGS2: int argc, the path, NULs, argv, environment; the size. */
int mach_process_arguments(int pid, uint8_t *buffer, int size);
int mach_send_signal(int pid, int signal);
/* sysctlbyname; the size of the value. */
int mach_sysctl(const char *name, uint8_t *buffer, int size);
/* csops: the status word (CS_GET_TASK_ALLOW 4, CS_HARD 0x100, CS_KILL 0x200, CS_RESTRICT 0x800,
 * CS_RUNTIME 0x10000, CS_PLATFORM_BINARY 0x4000000, CS_DEBUGGED 0x10000000). */
int mach_signing_status(int pid, uint32_t *status);
/* csops: the entitlements' property list; its size, 0: none. */
int mach_entitlements(int pid, uint8_t *buffer, int size);
