/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan.h"

copy_fn copy_segs_base;
#ifdef ISA_X86
copy_fn copy_segs_avx2, copy_segs_avx512;
#endif

copy_fn *copy_choose(unsigned int max_simd_bits)
{
	switch (isa_choose(max_simd_bits)) {
#ifdef ISA_X86
	case ISA_SET_AVX512:
		return copy_segs_avx512;
	case ISA_SET_AVX2:
		return copy_segs_avx2;
#endif
	default:
		return copy_segs_base;
	}
}
