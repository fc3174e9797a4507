/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hot files are compiled once for every instruction set that is worth it,
 * with -DISA=avx2 and so on, and once for the baseline. What they define has
 * the set's name behind it; lib/net/net.c chooses when a queue is set up.
 */
#ifndef VHOST_NG_ISA_H
#define VHOST_NG_ISA_H

#ifndef ISA
#define ISA base
#endif

#define ISA_JOIN_(name, isa) name##_##isa
#define ISA_JOIN(name, isa) ISA_JOIN_(name, isa)
#define ISA_NAME(name) ISA_JOIN(name, ISA)

#endif
