#ifndef PYDBGSERVER_RSP_H
#define PYDBGSERVER_RSP_H

#include <stdint.h>

#include "registers.h"

#include "cdef/rsp.h"

/* At least `width` decimal digits; gives where they end. */
uint8_t *rsp_decimal(uint8_t *to, int64_t value, int width);

/* `ahead` is not about this room from now on. */
void rsp_withdraw(rsp_room *room);

/* Takes what `ahead` has made ready, and has it make more. */
void rsp_call_ahead(rsp_room *room, int64_t end);

/* After `end` bytes of it have been written. */
static inline void rsp_look_ahead(rsp_room *room, int64_t end)
{
    if (room->size - end < room->low)
        rsp_call_ahead(room, end);
}

#endif
