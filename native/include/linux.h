/* C side of cdef/linux.h. */
#ifndef PYDBGSERVER_LINUX_H
#define PYDBGSERVER_LINUX_H
#include <stdint.h>
#include "rsp.h"

#include "../cdef/linux.h"
#endif
