/* Writes into a task, whatever the protection of its pages.
 *
 * The page range that was made writable is put back to what it was before the
 * next region is looked at, whether or not the write into it worked. */
#include <errno.h>
#include <mach/vm_region.h>

#include "mach_tracer.h"

struct opened {
    uint64_t start, size; /* whole pages inside one region; size 0: nothing was changed */
    vm_prot_t before;
};

static kern_return_t protect(task_t task, uint64_t start, uint64_t size, vm_prot_t protection) {
    kern_return_t code = mach_vm_protect(task, start, size, FALSE, protection);
    log_call(code, "mach_vm_protect(task=%#x, %#llx, %#llx, 0, %#x)", task, (unsigned long long)start,
             (unsigned long long)size, (unsigned)protection);
    return code;
}

/* A region that is writable already is left alone: taking execute away from an rwx one would break threads that run
 * there, and Apple silicon refuses any change to a MAP_JIT one. Read and write together with execute is refused on
 * Apple silicon, so execute goes for the moment. A region whose maximum lacks write (text of a file) needs a private
 * copy, which VM_PROT_COPY makes (XNU vm_map_protect). */
static kern_return_t open_region(task_t task, const mach_region *region, uint64_t page_size, uint64_t address,
                                 uint64_t size, struct opened *opened) {
    opened->size = 0;
    if (region->protection & VM_PROT_WRITE)
        return KERN_SUCCESS;
    uint64_t end = (address + size + page_size - 1) & ~(page_size - 1), region_end = region->start + region->size;
    uint64_t start = address & ~(page_size - 1);
    start = start < region->start ? region->start : start;
    end = end > region_end ? region_end : end;
    kern_return_t code = protect(task, start, end - start, VM_PROT_READ | VM_PROT_WRITE);
    if (code != KERN_SUCCESS)
        code = protect(task, start, end - start, VM_PROT_READ | VM_PROT_WRITE | VM_PROT_COPY);
    if (code == KERN_SUCCESS)
        *opened = (struct opened){start, end - start, region->protection};
    return code;
}

static void restore(task_t task, const struct opened *opened, mach_write_report *report) {
    if (!opened->size)
        return;
    kern_return_t code = protect(task, opened->start, opened->size, opened->before);
    if (code == KERN_SUCCESS || report->restore_error)
        return;
    report->restore_error = kernel_error(code);
    report->unrestored_start = opened->start;
    report->unrestored_size = opened->size;
}

/* arm64 fetches instructions past the data cache; x86 keeps both in step. The status is kept apart from that of the
 * write: one must not hide the other. */
static kern_return_t flush(task_t task, uint64_t address, uint64_t size) {
#if defined(__x86_64__)
    (void)task, (void)address, (void)size;
    return KERN_SUCCESS;
#else
    vm_machine_attribute_val_t value = MATTR_VAL_CACHE_FLUSH;
    kern_return_t code = vm_machine_attribute(task, (vm_address_t)address, (vm_size_t)size, MATTR_CACHE, &value);
    log_call(code, "vm_machine_attribute(task=%#x, %#llx, %#llx, flush)", task, (unsigned long long)address,
             (unsigned long long)size);
    return code;
#endif
}

static uint64_t write_pages(task_t task, uint64_t page_size, uint64_t address, const uint8_t *buffer, uint64_t size,
                            mach_write_report *report) {
    uint64_t done = 0;
    while (done < size && !report->error) {
        uint64_t at = address + done, left = page_size - at % page_size;
        uint64_t count = left < size - done ? left : size - done;
        kern_return_t code =
            mach_vm_write(task, at, (vm_offset_t)(uintptr_t)(buffer + done), (mach_msg_type_number_t)count);
        log_call(code, "mach_vm_write(task=%#x, %#llx, %llu bytes)", task, (unsigned long long)at,
                 (unsigned long long)count);
        if (code == KERN_SUCCESS) {
            done += count;
            code = flush(task, at, count);
        }
        if (code != KERN_SUCCESS)
            report->error = kernel_error(code);
    }
    return done;
}

static uint64_t write_region(task_t task, const mach_region *region, uint64_t page_size, uint64_t address,
                             const uint8_t *buffer, uint64_t size, mach_write_report *report) {
    struct opened opened;
    kern_return_t code = open_region(task, region, page_size, address, size, &opened);
    if (code != KERN_SUCCESS) {
        report->error = kernel_error(code);
        return 0;
    }
    uint64_t done = write_pages(task, page_size, address, buffer, size, report);
    restore(task, &opened, report);
    return done;
}

int64_t task_write(task_t task, uint64_t page_size, uint64_t address, const uint8_t *buffer, uint64_t size,
                   mach_write_report *report) {
    uint64_t done = 0;
    *report = (mach_write_report){0};
    while (done < size && !report->error) {
        mach_region region;
        uint64_t at = address + done;
        int found = find_region(task, at, false, &region);
        if (found != 1) {
            /* A hole, or nothing above: what a write there gives. Any other error is the task's own. */
            report->error = found < 0 && found != -ENOENT ? found : kernel_error(KERN_INVALID_ADDRESS);
            break;
        }
        uint64_t left = region.start + region.size - at;
        uint64_t count = left < size - done ? left : size - done;
        done += write_region(task, &region, page_size, at, buffer + done, count, report);
    }
    return done || !size ? (int64_t)done : report->error;
}
