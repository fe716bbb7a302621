/* What tests ask of the simulated kernel itself (native/macos_sim). */

/* The calls of address spaces that Python simulates; each gives a kern_return_t. */
void sim_map_calls(int (*protect)(int map, uint64_t address, uint64_t size, int protection),
                   int (*read)(int map, uint64_t address, uint8_t *data, uint64_t size),
                   int (*write)(int map, uint64_t address, const uint8_t *data, uint64_t size),
                   int (*region)(int map, uint64_t *address, uint64_t *size, uint32_t *depth, uint32_t *info,
                                 uint32_t *count),
                   int (*pages)(int map, uint64_t address, uint64_t count, int32_t *dispositions));
/* A process with simulated address space `map` (1 to 63) and one thread; its pid. */
int sim_map_process(int map, int page_size);
/* It ends, with a wait status of Darwin's. */
int sim_end_process(int pid, int status);
/* An exception of its thread. */
int sim_raise_exception(int pid, int exception, int64_t code, int64_t subcode);
/* Any message to its exception port. */
int sim_post_message(int pid, const uint8_t *message, int size);
/* The set of all exception ports dies under the tracer. */
void sim_kill_port_set(void);
