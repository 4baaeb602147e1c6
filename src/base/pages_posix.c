#include "mem_internal.h"

/* There is no portable way to ask, and nothing but time to gain. */
void mem_prefer_huge_pages(void *p, size_t size)
{
	(void)p;
	(void)size;
}

void mem_populate(void *p, size_t size)
{
	(void)p;
	(void)size;
}
