/* One non-blocking receive and send for sockets, pipes and terminals (POSIX). */

#include "rsp.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t receive_once(int descriptor, uint8_t *buffer, int64_t capacity, int *is_socket)
{
    for (;;) {
        ssize_t got = *is_socket ? recv(descriptor, buffer, (size_t)capacity, MSG_DONTWAIT)
                                 : read(descriptor, buffer, (size_t)capacity);
        if (got >= 0)
            return got;
        if (*is_socket && errno == ENOTSOCK)
            *is_socket = 0;
        else if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
}

/* True when something can be read before `wait_us` are over; a signal ends the wait early. */
static int becomes_readable(int descriptor, int wait_us)
{
    struct pollfd readable = {descriptor, POLLIN, 0};
    return poll(&readable, 1, (wait_us + 999) / 1000) > 0;
}

int64_t rsp_receive(int descriptor, uint8_t *buffer, int64_t capacity, int wait_us)
{
    int is_socket = 1;
    int64_t got = receive_once(descriptor, buffer, capacity, &is_socket);
    if (got != -EAGAIN || !wait_us || !becomes_readable(descriptor, wait_us))
        return got;
    return receive_once(descriptor, buffer, capacity, &is_socket);
}

int64_t rsp_send(int descriptor, const uint8_t *data, int64_t length)
{
    int is_socket = 1;
    for (;;) {
        ssize_t sent = is_socket ? send(descriptor, data, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : write(descriptor, data, (size_t)length);
        if (sent >= 0)
            return sent;
        if (is_socket && errno == ENOTSOCK)
            is_socket = 0;
        else if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    }
}
