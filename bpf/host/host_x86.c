/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#define __TARGET_ARCH_x86
#define UNWIND_ON_HOST pyrorec_unwind_x86
#include "host_environment.h"
