#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem_internal.h"

void mem_prefer_huge_pages(void *p, size_t size)
{
	madvise(p, size, MADV_HUGEPAGE);
}

/* A kernel before 5.14 does not know how: then they come one by one. */
void mem_populate(void *p, size_t size)
{
#ifdef MADV_POPULATE_WRITE
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = ((uintptr_t)p + page - 1) & ~(page - 1);
	uintptr_t end = ((uintptr_t)p + size) & ~(page - 1);

	if (begin < end)
		madvise((void *)begin, end - begin, MADV_POPULATE_WRITE);
#else
	(void)p;
	(void)size;
#endif
}
