/* What every call to the kernel shares: its errors as negative numbers and in words, and the log. */
#include <errno.h>
#include <mach/mach_error.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "mach_tracer.h"

struct tracer tracer = {.queue = -1, .log = -1, .options = {.program_signals = ~0ull, .report_execs = 1}};

enum { KERN_BASE = 0x10000, MIG_BASE = 0x20000, MESSAGE_BASE = 0x10000000, SMALL_CODES = 4096 };

/* As native/cdef/mach.h has it. */
int kernel_error(kern_return_t code) {
    if (code == KERN_SUCCESS)
        return 0;
    if (code < 0)
        return -(MIG_BASE - code);
    return code < SMALL_CODES ? -(KERN_BASE + code) : -code;
}

static kern_return_t kernel_code(int error) {
    if (error <= -MESSAGE_BASE)
        return -error;
    return error <= -MIG_BASE ? error + MIG_BASE : -error - KERN_BASE;
}

static const char *code_name(kern_return_t code) {
    static const char *const names[] = {
        [KERN_SUCCESS] = "KERN_SUCCESS",
        [KERN_INVALID_ADDRESS] = "KERN_INVALID_ADDRESS",
        [KERN_PROTECTION_FAILURE] = "KERN_PROTECTION_FAILURE",
        [KERN_NO_SPACE] = "KERN_NO_SPACE",
        [KERN_INVALID_ARGUMENT] = "KERN_INVALID_ARGUMENT",
        [KERN_FAILURE] = "KERN_FAILURE",
        [KERN_RESOURCE_SHORTAGE] = "KERN_RESOURCE_SHORTAGE",
        [KERN_NO_ACCESS] = "KERN_NO_ACCESS",
    };
    bool known = code >= 0 && (size_t)code < sizeof names / sizeof *names && names[code];
    return known ? names[code] : mach_error_string(code);
}

int mach_error_words(int code, char *buffer, int size) {
    if (code > -SMALL_CODES)
        return snprintf(buffer, (size_t)size, "%s", strerror(-code));
    kern_return_t kernel = kernel_code(code);
    return snprintf(buffer, (size_t)size, "%s (%d)", code_name(kernel), kernel);
}

void mach_log_to(int fd) {
    tracer.log = fd;
}

void mach_configure(const mach_options *options) {
    bool masks_change = options->ignored_exceptions != tracer.options.ignored_exceptions;
    tracer.options = *options;
    if (masks_change)
        for EACH_PROCESS (process)
            set_exception_ports(process);
}

void log_call(kern_return_t code, const char *format, ...) {
    if (tracer.log < 0)
        return;
    char call[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(call, sizeof call, format, arguments);
    va_end(arguments);
    dprintf(tracer.log, "[mach] %s = %d %s\n", call, code, code_name(code));
}

static const char *request_name(int request) {
    switch (request) {
    case PT_KILL:
        return "PT_KILL";
    case PT_DETACH:
        return "PT_DETACH";
    case PT_THUPDATE:
        return "PT_THUPDATE";
    case PT_ATTACHEXC:
        return "PT_ATTACHEXC";
    }
    return "?";
}

/* 0 or -errno. */
int traced_call(int request, pid_t pid, uintptr_t address, int data) {
    int result = ptrace(request, pid, (caddr_t)address, data) < 0 ? -errno : 0;
    if (tracer.log >= 0)
        dprintf(tracer.log, "[mach] ptrace(%s, %d, %#lx, %d) = %d\n", request_name(request), (int)pid,
                (unsigned long)address, data, result);
    return result;
}
