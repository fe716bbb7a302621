/* One non-blocking receive and send for sockets, pipes and terminals (POSIX). */

#include "rsp.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

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

int64_t rsp_receive(int descriptor, uint8_t *buffer, int64_t capacity, int spin_us)
{
    int is_socket = 1;
    int64_t got = receive_once(descriptor, buffer, capacity, &is_socket);
    if (got != -EAGAIN || spin_us <= 0)
        return got;
    int64_t deadline = now_us() + spin_us;
    do {
        relax();
        got = receive_once(descriptor, buffer, capacity, &is_socket);
    } while (got == -EAGAIN && now_us() < deadline);
    return got;
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
