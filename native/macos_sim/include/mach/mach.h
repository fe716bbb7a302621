/* What mach_*.c uses of Apple's Mach headers, with the same names, values and layouts, for the simulated kernel on
 * Linux x86_64. Values and layouts are those of the kernel's interface; tests/macos compares them with the real
 * headers by compiling the same sources for macOS. */
#ifndef MACOS_SIM_MACH_H
#define MACOS_SIM_MACH_H

#include <stdint.h>
#include <sys/types.h>

typedef int kern_return_t;
typedef int integer_t;
typedef unsigned int natural_t;
typedef int boolean_t;
typedef natural_t mach_port_t, mach_port_name_t, task_t, thread_act_t, vm_map_t, ipc_space_t, host_t;
typedef natural_t mach_msg_type_number_t, mach_msg_size_t, mach_msg_bits_t, mach_msg_timeout_t, mach_port_type_t;
typedef int mach_msg_id_t, mach_msg_option_t, mach_port_delta_t;
typedef unsigned int mach_port_right_t, mach_msg_type_name_t, exception_mask_t, task_flavor_t, thread_flavor_t;
typedef int vm_prot_t, vm_inherit_t, vm_behavior_t, exception_type_t, exception_behavior_t, thread_state_flavor_t;
typedef uint64_t mach_vm_address_t, mach_vm_size_t, mach_vm_offset_t, memory_object_offset_t;
typedef uintptr_t vm_address_t, vm_offset_t, vm_size_t;
typedef uint32_t vm32_object_id_t;
typedef uint64_t vm_object_id_t;
typedef integer_t *task_info_t, *thread_info_t, *vm_region_recurse_info_t;
typedef natural_t *thread_state_t;
typedef thread_act_t *thread_act_array_t;
typedef mach_port_name_t *mach_port_name_array_t;
typedef mach_port_type_t *mach_port_type_array_t;
typedef int cpu_type_t, cpu_subtype_t;

enum { FALSE = 0, TRUE = 1 };
#define CPU_TYPE_X86_64 0x01000007
#define CPU_TYPE_ARM64 0x0100000c
#define CPU_SUBTYPE_ANY -1

/* kern_return.h, message.h */
#define KERN_SUCCESS 0
#define KERN_INVALID_ADDRESS 1
#define KERN_PROTECTION_FAILURE 2
#define KERN_NO_SPACE 3
#define KERN_INVALID_ARGUMENT 4
#define KERN_FAILURE 5
#define KERN_RESOURCE_SHORTAGE 6
#define KERN_NO_ACCESS 8
#define KERN_INVALID_NAME 15
#define KERN_INVALID_TASK 16
#define KERN_INVALID_RIGHT 17
#define KERN_TERMINATED 37
#define MACH_SEND_INVALID_DEST 0x10000003
#define MACH_RCV_INVALID_NAME 0x10004002
#define MACH_RCV_TIMED_OUT 0x10004003
#define MACH_RCV_TOO_LARGE 0x10004004
#define MACH_RCV_INTERRUPTED 0x10004005

#define MACH_PORT_NULL 0u
#define MACH_PORT_DEAD (~0u)
#define MACH_PORT_VALID(name) ((name) != MACH_PORT_NULL && (name) != MACH_PORT_DEAD)
#define MACH_PORT_RIGHT_SEND 0
#define MACH_PORT_RIGHT_RECEIVE 1
#define MACH_PORT_RIGHT_PORT_SET 3
#define MACH_MSG_TYPE_MOVE_SEND 17
#define MACH_MSG_TYPE_MOVE_SEND_ONCE 18
#define MACH_MSG_TYPE_MAKE_SEND 20
#define MACH_MSG_PORT_DESCRIPTOR 0
#define MACH_SEND_MSG 1
#define MACH_RCV_MSG 2
#define MACH_SEND_TIMEOUT 0x10
#define MACH_RCV_TIMEOUT 0x100
#define MACH_RCV_INTERRUPT 0x400
#define MACH_MSGH_BITS_COMPLEX 0x80000000u
#define MACH_MSGH_BITS(remote, local) ((remote) | (local) << 8)
#define MACH_MSGH_BITS_REMOTE(bits) ((bits)&0x1fu)

#pragma pack(push, 4)
typedef struct {
    mach_msg_bits_t msgh_bits;
    mach_msg_size_t msgh_size;
    mach_port_t msgh_remote_port, msgh_local_port;
    mach_port_name_t msgh_voucher_port;
    mach_msg_id_t msgh_id;
} mach_msg_header_t;
typedef struct {
    mach_msg_size_t msgh_descriptor_count;
} mach_msg_body_t;
typedef struct {
    mach_port_t name;
    mach_msg_size_t pad1;
    unsigned int pad2 : 16;
    unsigned int disposition : 8;
    unsigned int type : 8;
} mach_msg_port_descriptor_t;

/* vm_region.h: up to the fields of version 2 */
typedef struct {
    vm_prot_t protection, max_protection;
    vm_inherit_t inheritance;
    memory_object_offset_t offset;
    unsigned int user_tag, pages_resident, pages_shared_now_private, pages_swapped_out, pages_dirtied, ref_count;
    unsigned short shadow_depth;
    unsigned char external_pager, share_mode;
    boolean_t is_submap;
    vm_behavior_t behavior;
    vm32_object_id_t object_id;
    unsigned short user_wired_count, flags;
    unsigned int pages_reusable;
    vm_object_id_t object_id_full;
} vm_region_submap_info_data_64_t;
typedef struct {
    vm_prot_t protection, max_protection;
    vm_inherit_t inheritance;
    memory_object_offset_t offset;
    unsigned int user_tag, ref_count;
    unsigned short shadow_depth;
    unsigned char external_pager, share_mode;
    boolean_t is_submap;
    vm_behavior_t behavior;
    vm32_object_id_t object_id;
    unsigned short user_wired_count, flags;
} vm_region_submap_short_info_data_64_t;

/* task_info.h: the fields that are read */
typedef struct {
    mach_vm_size_t virtual_size;
    integer_t region_count, page_size;
    natural_t rest[89];
} task_vm_info_data_t;
typedef struct {
    mach_vm_size_t virtual_size, resident_size, resident_size_max;
    integer_t times[4], policy, suspend_count;
} mach_task_basic_info_data_t;
typedef struct {
    mach_vm_address_t all_image_info_addr;
    mach_vm_size_t all_image_info_size;
    integer_t all_image_info_format;
} task_dyld_info_data_t;
#pragma pack(pop)

typedef struct {
    unsigned char bytes[8];
} NDR_record_t;
extern NDR_record_t NDR_record;

#define VM_REGION_SUBMAP_INFO_V0_COUNT_64 16
#define VM_REGION_SUBMAP_SHORT_INFO_COUNT_64 12
#define VM_PROT_READ 1
#define VM_PROT_WRITE 2
#define VM_PROT_EXECUTE 4
#define VM_PROT_COPY 0x10
#define VM_FLAGS_ANYWHERE 1
#define MACH_TASK_BASIC_INFO 20
#define MACH_TASK_BASIC_INFO_COUNT (sizeof(mach_task_basic_info_data_t) / sizeof(natural_t))
#define TASK_DYLD_INFO 17
#define TASK_DYLD_INFO_COUNT (sizeof(task_dyld_info_data_t) / sizeof(natural_t))
#define TASK_VM_INFO 22
#define TASK_VM_INFO_COUNT (sizeof(task_vm_info_data_t) / sizeof(natural_t))
#define MATTR_CACHE 1
#define MATTR_VAL_CACHE_FLUSH 6

/* thread_info.h */
typedef struct {
    uint64_t thread_id, thread_handle, dispatch_qaddr;
} thread_identifier_info_data_t;
typedef struct {
    natural_t times[4];
    integer_t cpu_usage, policy, run_state, flags, suspend_count, sleep_time;
} thread_basic_info_data_t;
typedef struct {
    uint64_t pth_user_time, pth_system_time;
    int32_t numbers[8];
    char pth_name[64];
} thread_extended_info_data_t;
#define THREAD_BASIC_INFO 3
#define THREAD_BASIC_INFO_COUNT 10
#define THREAD_IDENTIFIER_INFO 4
#define THREAD_IDENTIFIER_INFO_COUNT 6
#define THREAD_EXTENDED_INFO 5
#define THREAD_EXTENDED_INFO_COUNT (sizeof(thread_extended_info_data_t) / sizeof(natural_t))

/* exception_types.h */
#define EXC_BAD_ACCESS 1
#define EXC_BAD_INSTRUCTION 2
#define EXC_ARITHMETIC 3
#define EXC_SOFTWARE 5
#define EXC_BREAKPOINT 6
#define EXC_SYSCALL 7
#define EXC_MACH_SYSCALL 8
#define EXC_RESOURCE 11
#define EXC_GUARD 12
#define EXC_TYPES_COUNT 14
#define EXC_MASK_ALL 0x1bfeu
#define EXC_SOFT_SIGNAL 0x10003
#define EXC_I386_DIV 1
#define EXC_I386_INVOP 1
#define EXC_I386_SGL 1
#define EXC_I386_BPT 2
#define EXC_I386_GPFLT 13
#define EXCEPTION_DEFAULT 1
#define MACH_EXCEPTION_CODES 0x80000000u

/* i386/thread_status.h */
#define x86_THREAD_STATE64 4
#define x86_FLOAT_STATE64 5
#define x86_EXCEPTION_STATE64 6
#define x86_DEBUG_STATE64 11
#define THREAD_STATE_NONE 13
#define x86_AVX_STATE64 17
typedef struct {
    uint64_t __rax, __rbx, __rcx, __rdx, __rdi, __rsi, __rbp, __rsp;
    uint64_t __r8, __r9, __r10, __r11, __r12, __r13, __r14, __r15;
    uint64_t __rip, __rflags, __cs, __fs, __gs;
} x86_thread_state64_t;
typedef struct {
    uint64_t __dr0, __dr1, __dr2, __dr3, __dr4, __dr5, __dr6, __dr7;
} x86_debug_state64_t;
#define x86_THREAD_STATE64_COUNT (sizeof(x86_thread_state64_t) / sizeof(natural_t))
#define x86_DEBUG_STATE64_COUNT (sizeof(x86_debug_state64_t) / sizeof(natural_t))
#define x86_EXCEPTION_STATE64_COUNT 4
#define x86_FLOAT_STATE64_COUNT 131
#define x86_AVX_STATE64_COUNT 211

/* The calls. */
mach_port_t mach_task_self(void);
mach_port_t mach_host_self(void);
kern_return_t host_page_size(host_t host, vm_size_t *size);
char *mach_error_string(kern_return_t code);
kern_return_t task_for_pid(mach_port_name_t self, int pid, mach_port_name_t *task);
kern_return_t pid_for_task(mach_port_name_t task, int *pid);
kern_return_t task_suspend(task_t task);
kern_return_t task_resume(task_t task);
kern_return_t task_threads(task_t task, thread_act_array_t *list, mach_msg_type_number_t *count);
kern_return_t task_info(task_t task, task_flavor_t flavor, task_info_t info, mach_msg_type_number_t *count);
kern_return_t task_set_state(task_t task, thread_state_flavor_t flavor, thread_state_t state,
                             mach_msg_type_number_t count);
kern_return_t task_get_exception_ports(task_t task, exception_mask_t mask, exception_mask_t *masks,
                                       mach_msg_type_number_t *count, mach_port_t *ports,
                                       exception_behavior_t *behaviors, thread_state_flavor_t *flavors);
kern_return_t task_set_exception_ports(task_t task, exception_mask_t mask, mach_port_t port,
                                       exception_behavior_t behavior, thread_state_flavor_t flavor);
kern_return_t thread_suspend(thread_act_t thread);
kern_return_t thread_resume(thread_act_t thread);
kern_return_t thread_abort_safely(thread_act_t thread);
kern_return_t thread_get_state(thread_act_t thread, thread_state_flavor_t flavor, thread_state_t state,
                               mach_msg_type_number_t *count);
kern_return_t thread_set_state(thread_act_t thread, thread_state_flavor_t flavor, thread_state_t state,
                               mach_msg_type_number_t count);
kern_return_t thread_info(thread_act_t thread, thread_flavor_t flavor, thread_info_t info,
                          mach_msg_type_number_t *count);
kern_return_t mach_port_allocate(ipc_space_t space, mach_port_right_t right, mach_port_name_t *name);
kern_return_t mach_port_deallocate(ipc_space_t space, mach_port_name_t name);
kern_return_t mach_port_mod_refs(ipc_space_t space, mach_port_name_t name, mach_port_right_t right,
                                 mach_port_delta_t delta);
kern_return_t mach_port_insert_right(ipc_space_t space, mach_port_name_t name, mach_port_t port,
                                     mach_msg_type_name_t disposition);
kern_return_t mach_port_insert_member(ipc_space_t space, mach_port_name_t name, mach_port_name_t set);
kern_return_t mach_port_names(ipc_space_t space, mach_port_name_array_t *names, mach_msg_type_number_t *name_count,
                              mach_port_type_array_t *types, mach_msg_type_number_t *type_count);
kern_return_t mach_msg(mach_msg_header_t *message, mach_msg_option_t option, mach_msg_size_t send_size,
                       mach_msg_size_t receive_size, mach_port_name_t receive_name, mach_msg_timeout_t timeout,
                       mach_port_name_t notify);
void mach_msg_destroy(mach_msg_header_t *message);
kern_return_t vm_deallocate(vm_map_t task, vm_address_t address, vm_size_t size);

#endif
