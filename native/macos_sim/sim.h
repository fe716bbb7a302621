/* C side of cdef.h. */
#ifndef MACOS_SIM_SIM_H
#define MACOS_SIM_SIM_H
#include <stdint.h>
#include "cdef.h"
#endif
