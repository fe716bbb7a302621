/* The calls of <mach/mach_vm.h>, for the simulated kernel. */
#ifndef PYDBGSERVER_MACH_VM_H
#define PYDBGSERVER_MACH_VM_H
#include <mach/mach_types.h>

kern_return_t mach_vm_allocate(vm_map_t task, mach_vm_address_t *address, mach_vm_size_t size, int flags);
kern_return_t mach_vm_deallocate(vm_map_t task, mach_vm_address_t address, mach_vm_size_t size);
kern_return_t mach_vm_protect(vm_map_t task, mach_vm_address_t address, mach_vm_size_t size, boolean_t set_maximum,
                              vm_prot_t protection);
kern_return_t mach_vm_read_overwrite(vm_map_t task, mach_vm_address_t address, mach_vm_size_t size,
                                     mach_vm_address_t data, mach_vm_size_t *out_size);
kern_return_t mach_vm_write(vm_map_t task, mach_vm_address_t address, vm_offset_t data, mach_msg_type_number_t size);
kern_return_t mach_vm_region_recurse(vm_map_t task, mach_vm_address_t *address, mach_vm_size_t *size,
                                     natural_t *depth, vm_region_recurse_info_t info, mach_msg_type_number_t *count);
kern_return_t mach_vm_page_range_query(vm_map_t task, mach_vm_offset_t address, mach_vm_size_t size,
                                       mach_vm_address_t dispositions, mach_vm_size_t *count);
#endif
