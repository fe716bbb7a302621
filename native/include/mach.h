/* C side of cdef/mach.h. */
#ifndef PYDBGSERVER_MACH_H
#define PYDBGSERVER_MACH_H
#include <stdint.h>
#include "../cdef/mach.h"
#endif
