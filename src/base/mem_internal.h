/* mem_internal: what mem asks of the system. */
#ifndef AIRLOCK_BASE_MEM_INTERNAL_H
#define AIRLOCK_BASE_MEM_INTERNAL_H

#include <stddef.h>

void mem_prefer_huge_pages(void *p, size_t size);
/* All the pages at once that lie in it whole, which will be written soon: one by one is a fault
 * each. */
void mem_populate(void *p, size_t size);

#endif
