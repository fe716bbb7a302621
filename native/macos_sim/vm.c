/* Address spaces: the rules of XNU's vm_map over Linux's mappings (RULES.md). */
#define MACOS_SIM_KERNEL
#define _GNU_SOURCE
#include <fcntl.h>
#include <mach/mach_vm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kernel.h"

enum { PAGE = 4096, SM_COW = 1, SM_PRIVATE = 2, SM_SHARED = 4, TAG_MALLOC_TINY = 7, TAG_STACK = 30 };
enum { PRESENT = 1, DIRTY = 8, PAGED_OUT = 0x10 };

struct entry {
    uint64_t start, end, offset;
    int protection;
    bool shared;
    char path[512];
};

int sim_page_size(const struct sim_task *task) {
    return task->map ? sim_map_page_size(task->map) : PAGE;
}

static FILE *open_maps(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    return fopen(path, "r");
}

static bool parse(const char *line, struct entry *entry) {
    unsigned long start, end, offset;
    char permissions[5];
    entry->path[0] = 0;
    if (sscanf(line, "%lx-%lx %4s %lx %*s %*s %511[^\n]", &start, &end, permissions, &offset, entry->path) < 4)
        return false;
    entry->start = start;
    entry->end = end;
    entry->offset = offset;
    entry->shared = permissions[3] == 's';
    entry->protection = (permissions[0] == 'r' ? VM_PROT_READ : 0) | (permissions[1] == 'w' ? VM_PROT_WRITE : 0) |
                        (permissions[2] == 'x' ? VM_PROT_EXECUTE : 0);
    return start < 1ul << 47;
}

/* Linux shows the memory of a process under the number of any thread that has not ended. */
static pid_t memory_of(const struct sim_task *task) {
    const struct sim_thread *first = task->threads;
    for (const struct sim_thread *thread = first; thread; thread = thread->next)
        if (thread->stopped)
            return thread->tid;
    return first ? first->tid : task->pid;
}

/* The entry that holds the address or the next one above. */
static bool look_up(pid_t pid, uint64_t address, struct entry *entry) {
    FILE *file = open_maps(pid);
    char line[1024];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = parse(line, entry) && entry->end > address;
    if (file)
        fclose(file);
    return found;
}

/* What a file's pages were mapped with is their maximum, as dyld maps segments; anonymous memory has all. */
static int maximum(const struct sim_task *task, const struct entry *entry) {
    int all = VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXECUTE;
    int most = entry->path[0] == '/' || !strcmp(entry->path, "[vdso]") ? entry->protection | VM_PROT_READ : all;
    for (const struct writable_range *range = task->writable; range; range = range->next)
        if (range->start < entry->end && entry->start < range->end)
            most |= range->maximum;
    return most;
}

/* --- protect -------------------------------------------------------------------------------------- */

/* The first pass: nothing is changed unless all of it can be. */
static kern_return_t check(const struct sim_task *task, uint64_t start, uint64_t end, int protection) {
    for (uint64_t at = start; at < end;) {
        struct entry entry;
        if (!look_up(memory_of(task), at, &entry) || entry.start > at)
            return KERN_INVALID_ADDRESS;
        if (entry.shared && protection & VM_PROT_COPY)
            return KERN_PROTECTION_FAILURE; /* Linux cannot make it private: map.py simulates what Darwin does */
        if (!(protection & VM_PROT_COPY) && protection & ~maximum(task, &entry))
            return KERN_PROTECTION_FAILURE;
        at = entry.end;
    }
    return KERN_SUCCESS;
}

/* VM_PROT_COPY adds write to what the maximum was; execute stays, so that r-x can be put back. */
static void add_writable(struct sim_task *task, uint64_t start, uint64_t end) {
    for (uint64_t at = start; at < end;) {
        struct entry entry;
        if (!look_up(memory_of(task), at, &entry))
            return;
        struct writable_range *range = malloc(sizeof *range);
        uint64_t stop = entry.end < end ? entry.end : end;
        *range = (struct writable_range){at, stop, maximum(task, &entry) | VM_PROT_WRITE, task->writable};
        task->writable = range;
        at = entry.end;
    }
}

kern_return_t mach_vm_protect(vm_map_t name, mach_vm_address_t address, mach_vm_size_t size, boolean_t set_maximum,
                              vm_prot_t protection) {
    struct sim_task *task = sim_task_of(name);
    (void)set_maximum;
    if (!task)
        return MACH_SEND_INVALID_DEST;
    if (task->map)
        return sim_map_protect(task->map, address, size, protection);
    if (!size)
        return KERN_SUCCESS;
    uint64_t start = address & ~(uint64_t)(PAGE - 1), end = (address + size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    kern_return_t code = check(task, start, end, protection);
    if (code != KERN_SUCCESS)
        return code;
    if (protection & VM_PROT_COPY)
        add_writable(task, start, end);
    uint64_t arguments[6] = {start, end - start, (uint64_t)(protection & 7)};
    int64_t result = sim_remote_call(task, SYS_mprotect, arguments);
    return result == 0 ? KERN_SUCCESS : KERN_PROTECTION_FAILURE;
}

/* --- contents --------------------------------------------------------------------------------------- */

/* A transfer of this size goes through the target's page tables: any failure is KERN_INVALID_ADDRESS. The longer way,
 * which tells more, is never taken: one page at most is asked for at once. */
kern_return_t mach_vm_read_overwrite(vm_map_t name, mach_vm_address_t address, mach_vm_size_t size,
                                     mach_vm_address_t data, mach_vm_size_t *out_size) {
    struct sim_task *task = sim_task_of(name);
    if (!task)
        return MACH_SEND_INVALID_DEST;
    *out_size = size;
    if (task->map)
        return sim_map_read(task->map, address, (void *)(uintptr_t)data, size);
    struct iovec local = {(void *)(uintptr_t)data, size}, remote = {(void *)(uintptr_t)address, size};
    return process_vm_readv(memory_of(task), &local, 1, &remote, 1, 0) == (ssize_t)size ? KERN_SUCCESS : KERN_INVALID_ADDRESS;
}

kern_return_t mach_vm_write(vm_map_t name, mach_vm_address_t address, vm_offset_t data, mach_msg_type_number_t size) {
    struct sim_task *task = sim_task_of(name);
    if (!task)
        return MACH_SEND_INVALID_DEST;
    if (task->map)
        return sim_map_write(task->map, address, (const void *)data, size);
    struct iovec local = {(void *)data, size}, remote = {(void *)(uintptr_t)address, size};
    return process_vm_writev(memory_of(task), &local, 1, &remote, 1, 0) == (ssize_t)size ? KERN_SUCCESS : KERN_INVALID_ADDRESS;
}

kern_return_t mach_vm_allocate(vm_map_t name, mach_vm_address_t *address, mach_vm_size_t size, int flags) {
    struct sim_task *task = sim_task_of(name);
    (void)flags;
    if (!task || task->map)
        return task ? KERN_NO_SPACE : MACH_SEND_INVALID_DEST;
    uint64_t arguments[6] = {0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~0ull, 0};
    int64_t result = sim_remote_call(task, SYS_mmap, arguments);
    *address = (mach_vm_address_t)result;
    return result > 0 ? KERN_SUCCESS : KERN_NO_SPACE;
}

kern_return_t mach_vm_deallocate(vm_map_t name, mach_vm_address_t address, mach_vm_size_t size) {
    struct sim_task *task = sim_task_of(name);
    uint64_t arguments[6] = {address, size};
    if (!task || task->map)
        return MACH_SEND_INVALID_DEST;
    return sim_remote_call(task, SYS_munmap, arguments) == 0 ? KERN_SUCCESS : KERN_INVALID_ADDRESS;
}

/* --- regions ------------------------------------------------------------------------------------------ */

/* proc(5) pagemap: bit 63 present, 62 swapped, 61 of a file or shared. */
static int disposition(uint64_t word) {
    bool present = word >> 63 & 1, swapped = word >> 62 & 1, file = word >> 61 & 1;
    return (present ? PRESENT : 0) | (present && !file ? DIRTY : 0) | (swapped ? PAGED_OUT : 0);
}

static int64_t read_dispositions(pid_t pid, uint64_t address, int64_t count, int32_t *dispositions) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t words[512];
    int64_t done = 0;
    while (fd >= 0 && done < count) {
        int64_t chunk = count - done < 512 ? count - done : 512;
        ssize_t got = pread(fd, words, (size_t)chunk * 8, (off_t)((address / PAGE + (uint64_t)done) * 8));
        if (got < chunk * 8)
            break;
        for (int64_t i = 0; i < chunk; i++)
            dispositions[done + i] = disposition(words[i]);
        done += chunk;
    }
    if (fd >= 0)
        close(fd);
    return done;
}

kern_return_t mach_vm_page_range_query(vm_map_t name, mach_vm_offset_t address, mach_vm_size_t size,
                                       mach_vm_address_t dispositions, mach_vm_size_t *count) {
    struct sim_task *task = sim_task_of(name);
    if (!task)
        return MACH_SEND_INVALID_DEST;
    if (task->map) {
        mach_vm_size_t most = size / (mach_vm_size_t)sim_page_size(task);
        *count = most < *count ? most : *count;
        return sim_map_pages(task->map, address, *count, (int32_t *)(uintptr_t)dispositions);
    }
    int64_t pages = (int64_t)(size / PAGE) < (int64_t)*count ? (int64_t)(size / PAGE) : (int64_t)*count;
    *count = (mach_vm_size_t)read_dispositions(memory_of(task), address, pages, (int32_t *)(uintptr_t)dispositions);
    return KERN_SUCCESS;
}

static void count_pages(pid_t pid, const struct entry *entry, vm_region_submap_info_data_64_t *info) {
    int32_t chunk[512];
    for (uint64_t at = entry->start; at < entry->end;) {
        int64_t left = (int64_t)((entry->end - at) / PAGE), pages = left < 512 ? left : 512;
        int64_t got = read_dispositions(pid, at, pages, chunk);
        for (int64_t i = 0; i < got; i++) {
            info->pages_resident += (chunk[i] & PRESENT) != 0;
            info->pages_dirtied += (chunk[i] & DIRTY) != 0;
            info->pages_swapped_out += (chunk[i] & PAGED_OUT) != 0;
        }
        if (got < pages)
            return;
        at += (uint64_t)got * PAGE;
    }
}

static void describe(const struct sim_task *task, const struct entry *entry, vm_region_submap_info_data_64_t *info) {
    memset(info, 0, sizeof *info);
    info->protection = entry->protection;
    info->max_protection = maximum(task, entry);
    info->offset = entry->offset;
    info->ref_count = 1;
    info->external_pager = entry->path[0] == '/';
    info->share_mode = entry->shared ? SM_SHARED : entry->path[0] == '/' ? SM_COW : SM_PRIVATE;
    info->user_tag = !strcmp(entry->path, "[stack]") ? TAG_STACK : !strcmp(entry->path, "[heap]") ? TAG_MALLOC_TINY : 0;
}

static void shorten(const vm_region_submap_info_data_64_t *info, vm_region_submap_short_info_data_64_t *brief) {
    memset(brief, 0, sizeof *brief);
    brief->protection = info->protection;
    brief->max_protection = info->max_protection;
    brief->offset = info->offset;
    brief->user_tag = info->user_tag;
    brief->ref_count = info->ref_count;
    brief->external_pager = info->external_pager;
    brief->share_mode = info->share_mode;
}

kern_return_t mach_vm_region_recurse(vm_map_t name, mach_vm_address_t *address, mach_vm_size_t *size, natural_t *depth,
                                     vm_region_recurse_info_t out, mach_msg_type_number_t *count) {
    struct sim_task *task = sim_task_of(name);
    struct entry entry;
    if (!task)
        return MACH_SEND_INVALID_DEST;
    if (*count < VM_REGION_SUBMAP_SHORT_INFO_COUNT_64)
        return KERN_INVALID_ARGUMENT;
    if (task->map)
        return sim_map_region(task->map, address, size, depth, (natural_t *)out, count);
    if (!look_up(memory_of(task), *address, &entry))
        return KERN_INVALID_ADDRESS;
    *address = entry.start;
    *size = entry.end - entry.start;
    *depth = 0;
    vm_region_submap_info_data_64_t info;
    describe(task, &entry, &info);
    if (*count < VM_REGION_SUBMAP_INFO_V0_COUNT_64) {
        shorten(&info, (vm_region_submap_short_info_data_64_t *)out);
        *count = VM_REGION_SUBMAP_SHORT_INFO_COUNT_64;
        return KERN_SUCCESS;
    }
    count_pages(memory_of(task), &entry, &info);
    memcpy(out, &info, VM_REGION_SUBMAP_INFO_V0_COUNT_64 * sizeof(natural_t));
    *count = VM_REGION_SUBMAP_INFO_V0_COUNT_64;
    return KERN_SUCCESS;
}

int proc_regionfilename(int pid, uint64_t address, void *buffer, uint32_t size) {
    struct entry entry;
    struct sim_task *task = sim_find_task(pid);
    if ((task && task->map) || !look_up(task ? memory_of(task) : pid, address, &entry) || entry.start > address || entry.path[0] != '/')
        return 0;
    return snprintf(buffer, size, "%s", entry.path);
}
