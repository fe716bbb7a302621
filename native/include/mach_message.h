/* mach_exception_raise, the message in which the kernel tells of an exception, and its answer. MIG makes this code on
 * a Mac; libSystem does not export it. */
#ifndef PYDBGSERVER_MACH_MESSAGE_H
#define PYDBGSERVER_MACH_MESSAGE_H

#include <mach/mach.h>
#include <stdbool.h>
#include <stdint.h>

#define EXCEPTION_MESSAGE_ID 2405
#define EXCEPTION_REPLY_OFFSET 100
#define EXCEPTION_CODES 2
/* Room for a request of any kind that can come to an exception port, with its trailer. */
#define MESSAGE_ROOM 1024

struct exception {
    mach_port_t thread, task; /* send rights; ours */
    mach_port_t reply_port;
    mach_msg_bits_t reply_bits;
    mach_msg_id_t reply_id;
    int type;
    int code_count;
    int64_t codes[EXCEPTION_CODES];
};

/* The largest reply, in bytes. */
#define EXCEPTION_REPLY_SIZE 36

/* False for a message that is no well-formed mach_exception_raise; its rights are then the caller's to destroy. */
bool decode_exception(const mach_msg_header_t *message, struct exception *exception);
/* Builds the reply in `buffer` (aligned to 4, EXCEPTION_REPLY_SIZE bytes): KERN_SUCCESS lets the thread go on, anything else
 * hands the exception on. */
void encode_reply(const struct exception *exception, kern_return_t result, void *buffer);

#endif
