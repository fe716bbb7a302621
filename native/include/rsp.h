#ifndef PYDBGSERVER_RSP_H
#define PYDBGSERVER_RSP_H

#include <stdint.h>

#include "registers.h"

#include "cdef/rsp.h"

#endif
