/* Thread states: the kernel's register sets, named by flavor. */
#include <errno.h>
#include <mach/thread_info.h>
#include <stdio.h>
#include <string.h>

#include "mach_tracer.h"

/* The longest state known is x86_AVX512_STATE64 with 611 words. */
#define STATE_WORDS 614

int mach_read_state(int64_t tid, int flavor, uint8_t *buffer, int size) {
    struct thread *thread = find_thread(tid);
    natural_t words[STATE_WORDS];
    mach_msg_type_number_t count = size < (int)sizeof words ? (mach_msg_type_number_t)size / 4 : STATE_WORDS;
    if (!thread)
        return -ESRCH;
    kern_return_t code = thread_get_state(thread->port, flavor, words, &count);
    if (code != KERN_SUCCESS) {
        log_call(code, "thread_get_state(thread=%#x, flavor %d)", thread->port, flavor);
        return kernel_error(code);
    }
    int got = (int)count * 4 < size ? (int)count * 4 : size;
    memcpy(buffer, words, (size_t)got);
    return got;
}

static int set_state(struct thread *thread, int flavor, const uint8_t *buffer, int size) {
    natural_t words[STATE_WORDS] = {0};
    if (size < 0 || size > (int)sizeof words)
        return -EINVAL;
    memcpy(words, buffer, (size_t)size);
    kern_return_t code = thread_set_state(thread->port, flavor, words, (mach_msg_type_number_t)size / 4);
    if (code != KERN_SUCCESS)
        log_call(code, "thread_set_state(thread=%#x, flavor %d)", thread->port, flavor);
    return code == KERN_SUCCESS ? size : kernel_error(code);
}

/* A thread that waits in a system call would have the call's end written over what is set: it is made to leave first. */
int mach_write_state(int64_t tid, int flavor, const uint8_t *buffer, int size) {
    struct thread *thread = find_thread(tid);
    if (!thread)
        return -ESRCH;
    if (flavor == cpu_general_flavor && !thread->unanswered)
        thread_abort_safely(thread->port);
    return set_state(thread, flavor, buffer, size);
}

static bool read_general(struct thread *thread, natural_t *words) {
    mach_msg_type_number_t count = (mach_msg_type_number_t)cpu_general_count;
    return thread_get_state(thread->port, cpu_general_flavor, words, &count) == KERN_SUCCESS;
}

uint64_t thread_pc(struct thread *thread) {
    natural_t words[STATE_WORDS];
    return read_general(thread, words) ? cpu_pc((const uint8_t *)words) : 0;
}

bool set_thread_pc(struct thread *thread, uint64_t pc) {
    natural_t words[STATE_WORDS];
    if (!read_general(thread, words))
        return false;
    cpu_set_pc((uint8_t *)words, pc);
    return thread_set_state(thread->port, cpu_general_flavor, words, (mach_msg_type_number_t)cpu_general_count) ==
           KERN_SUCCESS;
}

void set_step(struct thread *thread, bool on) {
    natural_t words[STATE_WORDS] = {0};
    bool general = cpu_step_in_general();
    int flavor = general ? cpu_general_flavor : cpu_debug_flavor;
    mach_msg_type_number_t count = (mach_msg_type_number_t)(general ? cpu_general_count : cpu_debug_count);
    if (thread->stepping == on)
        return;
    kern_return_t code = thread_get_state(thread->port, flavor, words, &count);
    if (code == KERN_SUCCESS) {
        cpu_encode_step((uint8_t *)words, on);
        code = thread_set_state(thread->port, flavor, words, count);
    }
    if (code != KERN_SUCCESS)
        log_call(code, "single step of thread=%#x", thread->port);
    thread->stepping = on && code == KERN_SUCCESS;
}

/* proc_threadinfo has names; thread_info has them in THREAD_EXTENDED_INFO, for a thread port. */
int mach_thread_name(int64_t tid, char *buffer, int size) {
    struct thread *thread = find_thread(tid);
    thread_extended_info_data_t info;
    mach_msg_type_number_t count = THREAD_EXTENDED_INFO_COUNT;
    if (!thread)
        return -ESRCH;
    kern_return_t code = thread_info(thread->port, THREAD_EXTENDED_INFO, (thread_info_t)&info, &count);
    return code == KERN_SUCCESS ? snprintf(buffer, (size_t)size, "%.63s", info.pth_name) : kernel_error(code);
}

int mach_thread_handles(int64_t tid, uint64_t *values) {
    struct thread *thread = find_thread(tid);
    thread_identifier_info_data_t identity;
    thread_basic_info_data_t basic;
    mach_msg_type_number_t count = THREAD_IDENTIFIER_INFO_COUNT, basic_count = THREAD_BASIC_INFO_COUNT;
    if (!thread)
        return -ESRCH;
    kern_return_t code = thread_info(thread->port, THREAD_IDENTIFIER_INFO, (thread_info_t)&identity, &count);
    if (code == KERN_SUCCESS)
        code = thread_info(thread->port, THREAD_BASIC_INFO, (thread_info_t)&basic, &basic_count);
    if (code != KERN_SUCCESS)
        return kernel_error(code);
    values[0] = identity.thread_handle;
    values[1] = identity.dispatch_qaddr;
    values[2] = (uint64_t)basic.run_state;
    return 0;
}
