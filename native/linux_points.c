/* Conditions and commands of breakpoints, see agent_expr.h. A breakpoint whose conditions are all false, or that has
 * commands, does not stop its thread: nobody outside the tracer hears of the hit. */
#define _GNU_SOURCE
#include "linux_tracer.h"
#include "agent_expr.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct program {
    int users; /* points, in this process and in children that have copied them */
    bool persist;
    int conditions, commands;
    int32_t *lengths; /* of the conditions, then of the commands */
    uint8_t *code;    /* one after another */
};

static void leave_program(struct program *program) {
    if (!program || --program->users)
        return;
    free(program->lengths);
    free(program->code);
    free(program);
}

static struct point *find_point(const struct process *process, uint64_t address, bool hardware) {
    for (int i = 0; i < process->point_count; i++)
        if (process->points[i].address == address && process->points[i].hardware == hardware)
            return &process->points[i];
    return NULL;
}

void drop_point(struct process *process, uint64_t address, bool hardware) {
    struct point *point = find_point(process, address, hardware);
    if (!point)
        return;
    leave_program(point->program);
    *point = process->points[--process->point_count];
}

void drop_points(struct process *process) {
    while (process->point_count)
        leave_program(process->points[--process->point_count].program);
    free(process->points);
    process->points = NULL;
}

/* A child of fork has its parent's breakpoints, with all that belongs to them. */
void copy_points(struct process *child, const struct process *parent) {
    child->registers = parent->registers;
    child->register_count = parent->register_count;
    if (!parent->point_count)
        return;
    child->points = malloc((size_t)parent->point_count * sizeof *child->points);
    if (!child->points)
        return;
    child->point_count = parent->point_count;
    for (int i = 0; i < parent->point_count; i++) {
        child->points[i] = parent->points[i];
        child->points[i].program->users++;
    }
}

bool is_persistent(const struct process *process, uint64_t address) {
    const struct point *point = find_point(process, address, false);
    return point && point->program->persist && point->program->commands;
}

/* --- setting --------------------------------------------------------------------- */

/* One table for each kind of CPU that this server has met; processes point into it. */
#define TABLES 4
#define MOST_REGISTERS 256
static linux_register tables[TABLES][MOST_REGISTERS];
static int table_sizes[TABLES];

int linux_set_registers(int pid, const linux_register *registers, int count) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    if (count < 1 || count > MOST_REGISTERS)
        return -EINVAL;
    for (int i = 0; i < TABLES; i++) {
        if (!table_sizes[i]) {
            memcpy(tables[i], registers, (size_t)count * sizeof *registers);
            table_sizes[i] = count;
        }
        if (table_sizes[i] == count && !memcmp(tables[i], registers, (size_t)count * sizeof *registers)) {
            process->registers = tables[i];
            process->register_count = count;
            return 0;
        }
    }
    return -ENOSPC;
}

static bool is_sound(const struct process *process, const struct program *program) {
    uint8_t sizes[MOST_REGISTERS];
    int32_t at;
    for (int i = 0; i < process->register_count; i++)
        sizes[i] = (uint8_t)process->registers[i].size;
    const uint8_t *code = program->code;
    for (int i = 0; i < program->conditions + program->commands; code += program->lengths[i++])
        if (agent_expr_check(code, program->lengths[i], i < program->conditions, sizes, process->register_count, &at))
            return false;
    return true;
}

static struct program *make_program(const uint8_t *code, const int32_t *lengths, int conditions, int commands) {
    struct program *program = calloc(1, sizeof *program);
    int count = conditions + commands;
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += lengths[i] > 0 ? (size_t)lengths[i] : 0;
    if (!program)
        return NULL;
    *program = (struct program){.users = 1, .conditions = conditions, .commands = commands};
    program->lengths = malloc((size_t)count * sizeof *lengths);
    program->code = malloc(size ? size : 1);
    if (!program->lengths || !program->code) {
        leave_program(program);
        return NULL;
    }
    memcpy(program->lengths, lengths, (size_t)count * sizeof *lengths);
    memcpy(program->code, code, size);
    return program;
}

int linux_set_program(int pid, uint64_t address, int hardware, const uint8_t *code, const int32_t *lengths,
                      int conditions, int commands, int persist) {
    struct process *process = find_process(pid);
    if (!process)
        return -ESRCH;
    if (conditions < 0 || commands < 0)
        return -EINVAL;
    if (conditions + commands == 0) {
        drop_point(process, address, hardware);
        return 0;
    }
    struct program *program = make_program(code, lengths, conditions, commands);
    struct point *points = realloc(process->points, (size_t)(process->point_count + 1) * sizeof *points);
    if (points)
        process->points = points;
    if (!program || !points || !is_sound(process, program)) {
        int error = program && points ? -EINVAL : -ENOMEM;
        leave_program(program);
        return error;
    }
    program->persist = persist;
    drop_point(process, address, hardware);
    process->points[process->point_count++] = (struct point){address, hardware, program};
    return 0;
}

int linux_persistent(int pid) {
    const struct process *process = find_process(pid);
    int count = 0;
    for (int i = 0; process && i < process->point_count; i++)
        count += process->points[i].program->persist && process->points[i].program->commands;
    return process ? count : -ESRCH;
}

/* --- running ----------------------------------------------------------------------- */

static int read_register(struct thread *thread, uint64_t number, uint8_t *data) {
    const linux_register *one = &thread->process->registers[number];
    uint8_t state[4096];
    const uint8_t *set = thread->general;
    size_t size = sizeof state;
    if (one->type == NT_PRSTATUS) {
        if (!load_general(thread))
            return -1;
        size = (size_t)thread->general_size;
    } else {
        struct iovec vector = {state, sizeof state};
        if (trace(PTRACE_GETREGSET, thread->tid, (uintptr_t)one->type, (uintptr_t)&vector) < 0)
            return -1;
        set = state;
        size = vector.iov_len;
    }
    if ((size_t)one->offset + (size_t)one->size > size)
        return -1;
    memcpy(data, set + one->offset, (size_t)one->size);
    return one->size;
}

static void print(const agent_run *run) {
    for (int done = 0; tracer.print_to >= 0 && done < run->text_size;) {
        ssize_t written = write(tracer.print_to, run->text + done, (size_t)(run->text_size - done));
        if (written <= 0)
            return; /* nobody reads it */
        done += (int)written;
    }
}

void linux_print_to(int fd) {
    tracer.print_to = fd;
}

/* AGENT_DONE, or how it failed. */
static int evaluate(struct thread *thread, const uint8_t *code, int size, agent_run *run) {
    uint8_t data[AGENT_READ];
    int got = 0, result;
    run->at = run->depth = run->steps = run->text_size = run->format_at = run->argument = run->waiting = 0;
    while ((result = agent_expr_run(code, size, run, data, got)) == AGENT_WANTS_REGISTER ||
           result == AGENT_WANTS_MEMORY)
        got = result == AGENT_WANTS_REGISTER
                  ? read_register(thread, run->address, data)
                  : (int)linux_read_memory(thread->process->pid, run->address, data, (uint64_t)run->wanted);
    return result;
}

static int fail(struct thread *thread, const agent_run *run, int result) {
    thread->failure = result;
    thread->failed_at = result == AGENT_BAD_MEMORY ? run->address : (uint64_t)run->at;
    return result;
}

/* Any true condition is enough; one that fails counts as true, and is told. */
static bool is_true(struct thread *thread, const struct program *program, agent_run *run) {
    const uint8_t *code = program->code;
    int result = AGENT_DONE;
    for (int i = 0; i < program->conditions; code += program->lengths[i++]) {
        result = evaluate(thread, code, program->lengths[i], run);
        if (result) {
            fail(thread, run, result);
            break;
        }
        if (run->value)
            return true;
    }
    return result || !program->conditions;
}

/* False: one has failed, and is told. */
static bool run_commands(struct thread *thread, const struct program *program, agent_run *run) {
    const uint8_t *code = program->code;
    int i = 0;
    for (; i < program->conditions; i++)
        code += program->lengths[i];
    for (; i < program->conditions + program->commands; code += program->lengths[i++]) {
        int result = evaluate(thread, code, program->lengths[i], run);
        print(run);
        if (result)
            return !fail(thread, run, result);
    }
    return true;
}

bool goes_on_from(struct thread *thread, uint64_t address, bool hardware) {
    struct point *point = find_point(thread->process, address, hardware);
    thread->failure = 0;
    if (!point)
        return false;
    static agent_run run; /* three kilobytes, and used by one at a time */
    struct program *program = point->program;
    if (!is_true(thread, program, &run))
        return true;
    return !thread->failure && program->commands && run_commands(thread, program, &run);
}
