/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hot files are compiled once for every instruction set that is worth it,
 * with -DISA=avx2 and so on, and once for the baseline. What they define has
 * the set's name behind it. isa_choose() says at run time which of them serves.
 */
#ifndef VHOST_NG_ISA_H
#define VHOST_NG_ISA_H

#ifndef ISA
#define ISA base
#endif

#define ISA_JOIN_(name, isa) name##_##isa
#define ISA_JOIN(name, isa) ISA_JOIN_(name, isa)
#define ISA_NAME(name) ISA_JOIN(name, ISA)

enum isa_set {
	ISA_SET_BASE,
	ISA_SET_AVX2,
	ISA_SET_AVX512,
};

/*
 * The widest set that this machine runs, of registers with at most that many
 * bits. ISA_X86: the library has builds for more than the baseline.
 */
static inline enum isa_set isa_choose(unsigned int max_simd_bits)
{
#ifdef ISA_X86
	/* All that lib/meson.build compiles for: a virtual machine may mask any of it. */
	if (max_simd_bits >= 512 && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("bmi2"))
		return ISA_SET_AVX512;
	if (max_simd_bits >= 256 && __builtin_cpu_supports("avx2") &&
	    __builtin_cpu_supports("bmi2"))
		return ISA_SET_AVX2;
#endif
	(void)max_simd_bits;
	return ISA_SET_BASE;
}

#endif
