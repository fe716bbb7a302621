/* Port names and the rights behind them, as one IPC space has them, and message queues. */
#define MACOS_SIM_KERNEL
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel.h"
#include "sim.h"

enum { NAMES = 4096, SELF = 1, FIRST = 2, GENERATION = 3, QUEUE = 64 };

struct message {
    struct message *next;
    mach_msg_size_t size;
    uint8_t bytes[256];
};

static struct port {
    enum port_kind kind;
    void *object;
    int send;       /* user references to the send right, or to the dead name it has become */
    bool receive;   /* we hold the receive right (or the set) */
    bool send_once;
    bool dead;
    mach_port_name_t set; /* of which it is a member */
    struct message *queue;
} ports[NAMES];

NDR_record_t NDR_record = {{0, 0, 0, 0, 1, 0, 0, 0}};

static mach_port_name_t name_of(int index) {
    return (mach_port_name_t)index << 8 | GENERATION;
}

static struct port *find(mach_port_name_t name) {
    unsigned index = name >> 8;
    bool valid = (name & 0xff) == GENERATION && index < NAMES && ports[index].kind != PORT_FREE;
    return valid ? &ports[index] : NULL;
}

mach_port_t mach_task_self(void) {
    return name_of(SELF);
}

mach_port_name_t sim_make_port(enum port_kind kind, void *object) {
    for (int i = FIRST; i < NAMES; i++)
        if (ports[i].kind == PORT_FREE) {
            ports[i] = (struct port){.kind = kind, .object = object};
            return name_of(i);
        }
    abort(); /* a leak of thousands of ports */
}

mach_port_name_t sim_give_right(mach_port_name_t name) {
    struct port *port = find(name);
    if (port)
        port->send++;
    return name;
}

void *sim_object(mach_port_name_t name, enum port_kind kind) {
    struct port *port = find(name);
    return port && port->kind == kind && !port->dead ? port->object : NULL;
}

static void take_rights(mach_msg_header_t *header, mach_port_name_t port);

static void drop_messages(struct port *port) {
    while (port->queue) {
        struct message *message = port->queue;
        port->queue = message->next;
        take_rights((mach_msg_header_t *)message->bytes, 0);
        mach_msg_destroy((mach_msg_header_t *)message->bytes);
        free(message);
    }
}

/* The thread is gone: whoever answers it finds a dead port. */
void sim_orphan_replies(const struct sim_thread *thread) {
    for (int i = FIRST; i < NAMES; i++)
        if (ports[i].kind == PORT_REPLY && ports[i].object == thread) {
            ports[i].dead = true;
            ports[i].object = NULL;
        }
}

/* A name lives as long as the kernel's object behind it or a right of ours. */
static void release_if_unused(struct port *port) {
    bool object_lives = (port->kind == PORT_TASK || port->kind == PORT_THREAD) && !port->dead;
    if (!port->send && !port->receive && !port->send_once && !object_lives)
        port->kind = PORT_FREE;
}

void sim_kill_port(mach_port_name_t name) {
    struct port *port = find(name);
    if (!port)
        return;
    port->dead = true;
    port->object = NULL;
    port->set = 0;
    drop_messages(port);
    release_if_unused(port);
}

bool sim_port_receives(mach_port_name_t name) {
    struct port *port = find(name);
    return port && port->kind == PORT_RECEIVE && !port->dead;
}

bool sim_post(mach_port_name_t name, const void *bytes, mach_msg_size_t size) {
    struct port *port = find(name);
    struct message *message = port && !port->dead && size <= sizeof message->bytes ? malloc(sizeof *message) : NULL;
    if (!message)
        return false;
    struct message **end = &port->queue;
    while (*end)
        end = &(*end)->next;
    message->next = NULL;
    message->size = size;
    memcpy(message->bytes, bytes, size);
    *end = message;
    return true;
}

/* --- the calls ----------------------------------------------------------------------- */

kern_return_t mach_port_allocate(ipc_space_t space, mach_port_right_t right, mach_port_name_t *name) {
    (void)space;
    *name = sim_make_port(right == MACH_PORT_RIGHT_PORT_SET ? PORT_SET : PORT_RECEIVE, NULL);
    find(*name)->receive = true;
    return KERN_SUCCESS;
}

kern_return_t mach_port_insert_right(ipc_space_t space, mach_port_name_t name, mach_port_t port_name,
                                     mach_msg_type_name_t disposition) {
    struct port *port = find(name);
    (void)space;
    if (!port || name != port_name || disposition != MACH_MSG_TYPE_MAKE_SEND || !port->receive)
        return KERN_INVALID_ARGUMENT;
    port->send++;
    return KERN_SUCCESS;
}

kern_return_t mach_port_insert_member(ipc_space_t space, mach_port_name_t name, mach_port_name_t set) {
    struct port *port = find(name), *holder = find(set);
    (void)space;
    if (!port || !holder || holder->kind != PORT_SET)
        return KERN_INVALID_NAME;
    port->set = set;
    return KERN_SUCCESS;
}

/* A send-once right that goes unused tells the kernel that no answer will come. */
kern_return_t mach_port_deallocate(ipc_space_t space, mach_port_name_t name) {
    struct port *port = find(name);
    (void)space;
    if (!port)
        return KERN_INVALID_NAME;
    if (port->send_once) {
        struct sim_thread *thread = port->dead ? NULL : port->object;
        port->send_once = false;
        port->kind = PORT_FREE;
        if (thread)
            sim_answer(thread, KERN_FAILURE);
        return KERN_SUCCESS;
    }
    if (port->send <= 0)
        return KERN_INVALID_RIGHT;
    port->send--;
    release_if_unused(port);
    return KERN_SUCCESS;
}

kern_return_t mach_port_mod_refs(ipc_space_t space, mach_port_name_t name, mach_port_right_t right,
                                 mach_port_delta_t delta) {
    struct port *port = find(name);
    (void)space;
    if (!port)
        return KERN_INVALID_NAME;
    if (right == MACH_PORT_RIGHT_SEND) {
        port->send += delta;
    } else if (port->receive && delta == -1) {
        port->receive = false;
        sim_kill_port(name);
    } else {
        return KERN_INVALID_RIGHT;
    }
    release_if_unused(port);
    return KERN_SUCCESS;
}

static void *array_of(int count, size_t size) {
    return mmap(NULL, (size_t)(count ? count : 1) * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

kern_return_t mach_port_names(ipc_space_t space, mach_port_name_array_t *names, mach_msg_type_number_t *name_count,
                              mach_port_type_array_t *types, mach_msg_type_number_t *type_count) {
    (void)space;
    mach_msg_type_number_t count = 0;
    *names = array_of(NAMES, sizeof **names);
    *types = array_of(NAMES, sizeof **types);
    for (int i = FIRST; i < NAMES; i++)
        if (ports[i].kind != PORT_FREE && (ports[i].send || ports[i].receive || ports[i].send_once))
            (*names)[count++] = name_of(i);
    *name_count = *type_count = count;
    return KERN_SUCCESS;
}

kern_return_t vm_deallocate(vm_map_t task, vm_address_t address, vm_size_t size) {
    (void)task;
    return munmap((void *)address, size ? size : 1) ? KERN_INVALID_ADDRESS : KERN_SUCCESS;
}

mach_port_t mach_host_self(void) {
    static mach_port_name_t host;
    if (!find(host))
        host = sim_make_port(PORT_OTHER, NULL);
    return sim_give_right(host);
}

/* --- messages ---------------------------------------------------------------------------- */

static struct port *with_message(mach_port_name_t set) {
    for (int i = FIRST; i < NAMES; i++)
        if (ports[i].kind == PORT_RECEIVE && ports[i].set == set && ports[i].queue)
            return &ports[i];
    return NULL;
}

/* A dead set is told as one that is ready. */
bool sim_set_has_messages(void) {
    for (int i = FIRST; i < NAMES; i++)
        if (ports[i].kind == PORT_SET && (ports[i].dead || with_message(name_of(i))))
            return true;
    return false;
}

void sim_kill_port_set(void) {
    for (int i = FIRST; i < NAMES; i++)
        if (ports[i].kind == PORT_SET)
            ports[i].dead = true;
}

/* Rights that are in flight become ours with the message. */
static void take_rights(mach_msg_header_t *header, mach_port_name_t port) {
    struct port *reply = find(header->msgh_remote_port);
    header->msgh_local_port = port;
    if (reply && reply->kind == PORT_REPLY)
        reply->send_once = true;
    if (!(header->msgh_bits & MACH_MSGH_BITS_COMPLEX))
        return;
    mach_msg_body_t *body = (mach_msg_body_t *)(header + 1);
    mach_msg_port_descriptor_t *descriptors = (mach_msg_port_descriptor_t *)(body + 1);
    for (mach_msg_size_t i = 0; i < body->msgh_descriptor_count; i++)
        sim_give_right(descriptors[i].name);
}

static kern_return_t receive(mach_msg_header_t *header, mach_msg_size_t room, mach_port_name_t set) {
    struct port *holder = find(set);
    if (!holder || holder->kind != PORT_SET || holder->dead)
        return MACH_RCV_INVALID_NAME;
    sim_collect();
    struct port *port = with_message(set);
    if (!port)
        return MACH_RCV_TIMED_OUT;
    struct message *message = port->queue;
    port->queue = message->next;
    bool fits = message->size <= room;
    take_rights((mach_msg_header_t *)message->bytes, name_of((int)(port - ports)));
    if (fits)
        memcpy(header, message->bytes, message->size);
    else
        mach_msg_destroy((mach_msg_header_t *)message->bytes);
    free(message);
    return fits ? KERN_SUCCESS : MACH_RCV_TOO_LARGE;
}

static kern_return_t send_message(mach_msg_header_t *header) {
    struct port *port = find(header->msgh_remote_port);
    const kern_return_t *result = (const kern_return_t *)((const uint8_t *)header + 32);
    if (!port || port->kind != PORT_REPLY || port->dead || !port->send_once)
        return MACH_SEND_INVALID_DEST;
    struct sim_thread *thread = port->object;
    *port = (struct port){.kind = PORT_FREE};
    sim_answer(thread, header->msgh_size == 36 && header->msgh_id == 2505 ? *result : KERN_FAILURE);
    return KERN_SUCCESS;
}

/* Waiting is for kevent64; a receive takes what is there. */
kern_return_t mach_msg(mach_msg_header_t *message, mach_msg_option_t option, mach_msg_size_t send_size,
                       mach_msg_size_t receive_size, mach_port_name_t receive_name, mach_msg_timeout_t timeout,
                       mach_port_name_t notify) {
    (void)send_size, (void)timeout, (void)notify;
    return option & MACH_SEND_MSG ? send_message(message) : receive(message, receive_size, receive_name);
}

void mach_msg_destroy(mach_msg_header_t *header) {
    if (header->msgh_remote_port)
        mach_port_deallocate(mach_task_self(), header->msgh_remote_port);
    if (!(header->msgh_bits & MACH_MSGH_BITS_COMPLEX))
        return;
    mach_msg_body_t *body = (mach_msg_body_t *)(header + 1);
    mach_msg_port_descriptor_t *descriptors = (mach_msg_port_descriptor_t *)(body + 1);
    for (mach_msg_size_t i = 0; i < body->msgh_descriptor_count; i++)
        mach_port_deallocate(mach_task_self(), descriptors[i].name);
}

char *mach_error_string(kern_return_t code) {
    static char text[32];
    const char digits[] = "0123456789abcdef";
    memcpy(text, "error 0x", 8);
    for (int i = 0; i < 8; i++)
        text[8 + i] = digits[(unsigned)code >> (28 - 4 * i) & 15];
    text[16] = 0;
    return text;
}
