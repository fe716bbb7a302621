/* mach_exception_raise and its reply, laid out by hand (XNU mach_exc.defs, routine 2405). */
#include "mach_message.h"

#include <mach/ndr.h>
#include <stddef.h>
#include <string.h>

#pragma pack(push, 4)
struct request {
    mach_msg_header_t header;
    mach_msg_body_t body;
    mach_msg_port_descriptor_t thread;
    mach_msg_port_descriptor_t task;
    NDR_record_t format;
    exception_type_t exception;
    mach_msg_type_number_t code_count;
    int64_t codes[EXCEPTION_CODES];
};

struct reply {
    mach_msg_header_t header;
    NDR_record_t format;
    kern_return_t result;
};
#pragma pack(pop)

_Static_assert(offsetof(struct request, thread) == 28, "thread descriptor");
_Static_assert(offsetof(struct request, task) == 40, "task descriptor");
_Static_assert(offsetof(struct request, exception) == 60, "exception");
_Static_assert(offsetof(struct request, codes) == 68, "codes are not aligned");
_Static_assert(sizeof(struct request) == 84, "request");
_Static_assert(sizeof(struct reply) == EXCEPTION_REPLY_SIZE, "reply");

static bool is_port(const mach_msg_port_descriptor_t *descriptor) {
    return descriptor->type == MACH_MSG_PORT_DESCRIPTOR;
}

bool decode_exception(const mach_msg_header_t *message, struct exception *exception) {
    const struct request *request = (const struct request *)message;
    const mach_msg_size_t least = offsetof(struct request, codes);
    if (message->msgh_id != EXCEPTION_MESSAGE_ID || !(message->msgh_bits & MACH_MSGH_BITS_COMPLEX) ||
        message->msgh_size < least || message->msgh_size > sizeof *request)
        return false;
    if (request->body.msgh_descriptor_count != 2 || !is_port(&request->thread) || !is_port(&request->task) ||
        request->code_count > EXCEPTION_CODES ||
        message->msgh_size < least + request->code_count * sizeof request->codes[0])
        return false;
    *exception = (struct exception){
        .thread = request->thread.name,
        .task = request->task.name,
        .reply_port = message->msgh_remote_port,
        .reply_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(message->msgh_bits), 0),
        .reply_id = message->msgh_id + EXCEPTION_REPLY_OFFSET,
        .type = request->exception,
        .code_count = (int)request->code_count,
    };
    memcpy(exception->codes, (const uint8_t *)request + least, request->code_count * sizeof exception->codes[0]);
    return true;
}

void encode_reply(const struct exception *exception, kern_return_t result, void *buffer) {
    struct reply reply = {
        .header =
            {
                .msgh_bits = exception->reply_bits,
                .msgh_size = sizeof reply,
                .msgh_remote_port = exception->reply_port,
                .msgh_local_port = MACH_PORT_NULL,
                .msgh_id = exception->reply_id,
            },
        .format = NDR_record,
        .result = result,
    };
    memcpy(buffer, &reply, sizeof reply);
}
