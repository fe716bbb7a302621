/* The Mach tracer's own state, shared by mach_*.c.
 *
 * One server process has one tracer with one port set of exception ports and
 * one kqueue, so the state is one static object. */
#ifndef PYDBGSERVER_MACH_TRACER_H
#define PYDBGSERVER_MACH_TRACER_H

#include <mach/mach.h>
#include <mach/mach_vm.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mach.h"
#include "mach_message.h"
#include "traps.h"

/* Darwin's numbers (sys/signal.h), which are not those of the system the simulation runs on. */
enum { DARWIN_SIGILL = 4, DARWIN_SIGTRAP = 5, DARWIN_SIGFPE = 8, DARWIN_SIGKILL = 9, DARWIN_SIGBUS = 10,
       DARWIN_SIGSEGV = 11, DARWIN_SIGSYS = 12, DARWIN_SIGSTOP = 17, DARWIN_SIGCONT = 19 };

#define SLOT_COUNT 16 /* debug registers of one kind; arm64 has at most 16 */

struct event {
    int kind; /* enum mach_stop_kind, 0: none */
    int signal;
    uint64_t value;
    unsigned sequence;
};

struct thread {
    thread_act_t port; /* one send right of ours */
    uint64_t tid;
    struct process *process;
    struct thread *next;
    bool present; /* in the kernel's list at the last look */
    bool held;    /* suspended by us, once */
    bool resumed;
    int resume_kind;
    uint64_t range_start, range_end;
    bool stepping;          /* the step bit is set */
    bool at_trap;           /* stopped at the trap or debug register at trap_address and said so */
    uint64_t trap_address;
    uint32_t hit_slot;      /* the watch slot (a bit, from bit 16) that is to be out when it goes on from there */
    uint32_t lifted_slots;  /* the hardware slots that are out while it steps away: execute from bit 0, watch from 16 */
    bool unanswered;        /* `message` waits for its reply */
    struct exception message;
    int deliver;            /* the signal that goes with the reply */
    struct event event;
};

struct slot {
    bool used;
    int kind;
    uint64_t address, size;
};

struct hardware {
    struct slot execute[SLOT_COUNT];
    struct slot watch[SLOT_COUNT]; /* on x86_64 the slots are shared: slot i is used in one array at most */
    bool ever_used;
};

struct saved_ports {
    mach_msg_type_number_t count;
    exception_mask_t masks[EXC_TYPES_COUNT];
    mach_port_t ports[EXC_TYPES_COUNT];
    exception_behavior_t behaviors[EXC_TYPES_COUNT];
    thread_state_flavor_t flavors[EXC_TYPES_COUNT];
};

struct process {
    pid_t pid;
    struct process *next;
    task_t task;
    mach_port_t port; /* its exception port: receive and send right */
    struct saved_ports saved;
    struct thread *threads;
    uint64_t page_size; /* 0: not asked yet */
    bool launched;
    bool traced;    /* PT_ATTACHEXC has succeeded */
    bool suspended; /* our one task_suspend is in force */
    bool dead;
    int exit_status;
    struct thread *stepping_over; /* alone on its way off a trap */
    bool run_again;               /* that is over: the others may run too */
    uint64_t pass_once;           /* bit N-1: signal N sent on the client's order is delivered without a stop */
    bool settling;                /* its first stop, or the one before it is detached, is awaited */
    int execs_awaited;            /* of a launch through a shell or a wrapper */
    struct trap_list traps;
    struct hardware hardware;
};

struct tracer {
    struct process *processes;
    int queue;        /* kqueue, -1: not open */
    mach_port_t set;  /* port set of every exception port */
    int receive_error; /* the exception ports cannot be read any more; told once */
    bool awaited;     /* the client has resumed and waits for an event */
    bool interrupt_requested;
    int interrupt_pid;
    unsigned sequence;
    mach_options options;
    int log;
};
extern struct tracer tracer;

#define EACH_PROCESS(p) (struct process *p = tracer.processes; p; p = p->next)
#define EACH_THREAD(t, p) (struct thread *t = (p)->threads; t; t = t->next)

/* mach_kernel.c */
int kernel_error(kern_return_t code);
void log_call(kern_return_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));
int traced_call(int request, pid_t pid, uintptr_t address, int data);

/* mach_tables.c */
struct process *find_process(pid_t pid);
struct process *add_process(pid_t pid);
void free_process(struct process *process);
struct thread *find_thread(int64_t tid);
struct thread *thread_of_port(struct process *process, thread_act_t port);
void refresh_threads(struct process *process);
void drop_threads(struct process *process);

/* mach_write.c: memory of a task, whatever its protection */
int64_t task_write(task_t task, uint64_t page_size, uint64_t address, const uint8_t *buffer, uint64_t size,
                   mach_write_report *report);

/* mach_memory.c */
uint64_t process_page_size(struct process *process);
int64_t read_raw(struct process *process, uint64_t address, uint8_t *buffer, uint64_t size);

/* mach_regions.c */
int find_region(task_t task, uint64_t address, bool counted, mach_region *region);

/* mach_traps.c */
struct trap *find_trap(struct process *process, uint64_t address);
int lift_trap(struct process *process, const struct trap *trap);
void plant_trap(struct process *process, struct trap *trap);
void lift_traps(struct process *process);
void forget_traps(struct process *process);
int64_t write_around_traps(struct process *process, uint64_t address, const uint8_t *buffer, uint64_t size,
                           mach_write_report *report);

/* mach_states.c */
uint64_t thread_pc(struct thread *thread);
bool set_thread_pc(struct thread *thread, uint64_t pc);
void set_step(struct thread *thread, bool on);

/* mach_hardware.c */
uint32_t slot_bit(int slot, int kind);
bool write_thread_hardware(struct thread *thread);
void clear_hardware(struct process *process);
uint32_t hardware_at(const struct process *process, uint64_t pc);

/* mach_x86_64.c, mach_arm64.c: all that depends on the CPU */
extern const int cpu_general_flavor, cpu_general_count, cpu_debug_flavor, cpu_debug_count;
#define DEBUG_STATE_MAX 520
uint64_t cpu_pc(const uint8_t *general);
void cpu_set_pc(uint8_t *general, uint64_t pc);
int cpu_slots(int kind);
bool cpu_slot_shared(void);
bool cpu_fits(int kind, uint64_t address, uint64_t size);
void cpu_encode_slot(uint8_t *debug, int slot, const struct slot *what, bool watch);
bool cpu_step_in_general(void);
void cpu_encode_step(uint8_t *state, bool on);
/* What an EXC_BREAKPOINT of this CPU is: BREAKPOINT (an instruction), HARDWARE (`*slot` as in mach_stop) or STEP. */
int cpu_classify(struct thread *thread, const struct exception *exception, const struct hardware *hardware,
                 uint64_t *slot, bool *watch);
bool cpu_watch_before_access(void);
/* How far the pc is past a trap instruction when it is reported. */
int cpu_trap_adjust(void);
#define TRAP_CODE_SIZE 4
/* Whether the instruction (TRAP_CODE_SIZE bytes are there) raises EXC_BREAKPOINT. */
bool cpu_is_trap(const uint8_t *code);
/* Bytes to go past an instruction that stopped the thread and is not ours. */
int cpu_skip_foreign_trap(const uint8_t *code, int size);

/* mach_ports.c */
int open_exception_port(struct process *process);
int set_exception_ports(struct process *process);
void restore_exception_ports(struct process *process);
void close_exception_port(struct process *process);
int watch_exit(pid_t pid);
void release_port(mach_port_t port);

/* mach_exceptions.c */
void handle_message(const struct exception *message);
void record_event(struct thread *thread, int kind, int signal, uint64_t value);
int exception_signal(const struct exception *message);
bool is_soft_signal(const struct exception *message);

/* mach_answer.c */
void answer(struct thread *thread, int signal);
void answer_all(struct process *process);
void refuse(const struct exception *message);

/* mach_receive.c */
bool collect(int64_t timeout_us);
bool drain(int timeout_ms);
bool have_news(void);

/* mach_run.c */
void suspend_process(struct process *process);
void resume_task(struct process *process);
void run_process(struct process *process);
void hold_thread(struct thread *thread, bool hold);
void stop_all(void);
void leave_step_over(struct thread *thread);

/* mach_attach.c */
int take_task(struct process *process, int32_t *stage);
int await_stop(struct process *process);

#endif
