#ifndef PYDBGSERVER_RSP_H
#define PYDBGSERVER_RSP_H

#include <stdint.h>

#include "registers.h"

#include "cdef/rsp.h"

/* At least `width` decimal digits; gives where they end. */
uint8_t *rsp_decimal(uint8_t *to, int64_t value, int width);

#endif
