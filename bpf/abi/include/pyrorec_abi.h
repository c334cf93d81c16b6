/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#ifndef PYROREC_ABI_H
#define PYROREC_ABI_H
#include <linux/types.h>
#define PYROREC_MAX_FRAMES 127
#endif
