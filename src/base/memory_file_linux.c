#include <sys/mman.h>

#include "proc_internal.h"

int proc_unnamed_file(void)
{
	return memfd_create("airlock", MFD_CLOEXEC);
}
