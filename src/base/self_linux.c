#include "airlock/base/host.h"
#include "airlock/base/mem.h"

char *host_self(const char *called_as)
{
	(void)called_as;
	return mem_strdup("/proc/self/exe");
}
