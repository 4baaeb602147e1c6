#include <sys/mman.h>

#include "mem_internal.h"

void mem_prefer_huge_pages(void *p, size_t size)
{
	madvise(p, size, MADV_HUGEPAGE);
}
