/* What dyld has loaded: its list is in the target's memory. */
#include <errno.h>
#include <mach/task_info.h>
#include <string.h>

#include "mach_tracer.h"

int mach_dyld_info(int pid, uint64_t *values) {
    struct process *process = find_process(pid);
    task_dyld_info_data_t info;
    mach_msg_type_number_t count = TASK_DYLD_INFO_COUNT;
    if (!process)
        return -ESRCH;
    kern_return_t code = task_info(process->task, TASK_DYLD_INFO, (task_info_t)&info, &count);
    if (code != KERN_SUCCESS)
        return kernel_error(code);
    values[0] = info.all_image_info_addr;
    values[1] = info.all_image_info_size;
    values[2] = (uint64_t)info.all_image_info_format;
    return 0;
}

/* dyld_all_image_infos of a 64-bit program: version, infoArrayCount (32 bits each), infoArray (mach-o/dyld_images.h). */
struct list_head {
    uint32_t version, count;
    uint64_t array;
};

/* While dyld changes the list infoArray is NULL. */
int mach_images(int pid, mach_image *images, int max) {
    struct process *process = find_process(pid);
    struct list_head head;
    uint64_t info[3];
    int result = mach_dyld_info(pid, info);
    if (result < 0)
        return result;
    if (!info[0] || read_raw(process, info[0], (uint8_t *)&head, sizeof head) != sizeof head)
        return -ENOENT;
    if (head.count && !head.array)
        return -EAGAIN;
    uint64_t wanted = head.count < (uint32_t)max ? head.count : (uint64_t)max;
    int64_t got = read_raw(process, head.array, (uint8_t *)images, wanted * sizeof *images);
    if (got < 0 || (uint64_t)got != wanted * sizeof *images)
        return got < 0 ? (int)got : -EFAULT;
    return (int)head.count;
}
