#ifndef PYDBGSERVER_REGISTERS_H
#define PYDBGSERVER_REGISTERS_H

#include <stdint.h>

#include "cdef/registers.h"

#endif
