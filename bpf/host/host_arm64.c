/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#define __TARGET_ARCH_arm64
#define UNWIND_ON_HOST pyrorec_unwind_arm64
#include "host_environment.h"
