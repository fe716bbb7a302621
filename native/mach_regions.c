/* The address space: regions, the files mapped in them, the state of their pages. */
#include <errno.h>
#include <libproc.h>
#include <mach/vm_region.h>
#include <string.h>

#include "mach_tracer.h"

/* Deeper than any submap: the kernel then gives the mapping itself, not the shared cache as one. */
#define DEPTH 1024

/* The short form spares the kernel the walk over the region's pages (XNU vm_map_region_walk). */
static kern_return_t query(task_t task, mach_vm_address_t *start, mach_vm_size_t *size, natural_t *depth, bool counted,
                           vm_region_submap_info_data_64_t *info) {
    vm_region_submap_short_info_data_64_t brief;
    mach_msg_type_number_t count =
        counted ? VM_REGION_SUBMAP_INFO_V0_COUNT_64 : VM_REGION_SUBMAP_SHORT_INFO_COUNT_64;
    vm_region_recurse_info_t out = counted ? (vm_region_recurse_info_t)info : (vm_region_recurse_info_t)&brief;
    kern_return_t code = mach_vm_region_recurse(task, start, size, depth, out, &count);
    if (code != KERN_SUCCESS || counted)
        return code;
    info->protection = brief.protection;
    info->max_protection = brief.max_protection;
    info->offset = brief.offset;
    info->user_tag = brief.user_tag;
    info->ref_count = brief.ref_count;
    info->external_pager = brief.external_pager;
    info->share_mode = brief.share_mode;
    info->is_submap = brief.is_submap;
    return code;
}

static void fill(mach_region *region, const vm_region_submap_info_data_64_t *info) {
    region->offset = info->offset;
    region->protection = info->protection;
    region->max_protection = info->max_protection;
    region->user_tag = (int32_t)info->user_tag;
    region->share_mode = info->share_mode;
    region->external_pager = info->external_pager;
    region->is_submap = (int32_t)info->is_submap;
    region->ref_count = (int32_t)info->ref_count;
    region->pages_resident = info->pages_resident;
    region->pages_dirtied = info->pages_dirtied;
    region->pages_swapped = info->pages_swapped_out;
}

/* As mach_region_at. mach_vm_region_recurse gives the region that holds the address or the next one above it;
 * KERN_INVALID_ADDRESS says that there is none. */
int find_region(task_t task, uint64_t address, bool counted, mach_region *region) {
    mach_vm_address_t start = address;
    mach_vm_size_t size = 0;
    natural_t depth = DEPTH;
    vm_region_submap_info_data_64_t info;
    memset(&info, 0, sizeof info);
    memset(region, 0, sizeof *region);
    kern_return_t code = query(task, &start, &size, &depth, counted, &info);
    if (code == KERN_INVALID_ADDRESS)
        return -ENOENT;
    if (code != KERN_SUCCESS) {
        log_call(code, "mach_vm_region_recurse(task=%#x, %#llx)", task, (unsigned long long)address);
        return kernel_error(code);
    }
    region->start = start;
    region->size = size;
    region->depth = (int32_t)depth;
    fill(region, &info);
    return address >= start && address - start < size;
}

int mach_region_at(int pid, uint64_t address, int counted, mach_region *region) {
    struct process *process = find_process(pid);
    return process ? find_region(process->task, address, counted, region) : -ESRCH;
}

int mach_region_path(int pid, uint64_t address, char *buffer, int size) {
    if (!find_process(pid))
        return -ESRCH;
    /* libproc gives the length of the path, 0 with errno where nothing with a path is mapped. */
    int length = size > 0 ? proc_regionfilename(pid, address, buffer, (uint32_t)size) : 0;
    return length > 0 ? length : 0;
}

/* The kernel takes at most 1 GiB at once and writes one int per page to our own memory; holes count as pages. */
int64_t mach_page_dispositions(int pid, uint64_t address, uint64_t size, int32_t *dispositions, int64_t max) {
    struct process *process = find_process(pid);
    uint64_t page_size = process ? process_page_size(process) : 0;
    if (!process)
        return -ESRCH;
    uint64_t pages = (size + page_size - 1) / page_size;
    mach_vm_size_t count = pages < (uint64_t)max ? pages : (uint64_t)max;
    if (!count)
        return 0;
    kern_return_t code = mach_vm_page_range_query(process->task, address, count * page_size,
                                                  (mach_vm_address_t)(uintptr_t)dispositions, &count);
    return code == KERN_SUCCESS ? (int64_t)count : kernel_error(code);
}
