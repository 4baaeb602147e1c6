/*
 * md5: RFC 1321, because dbt's Jinja (local_md5), PostgreSQL and DuckDB can all compute it.
 * It checks transport and shortens names; it protects nothing.
 */
#ifndef AIRLOCK_BASE_MD5_H
#define AIRLOCK_BASE_MD5_H

#include <stddef.h>

#define MD5_HEX_SIZE 33 /* 32 lower-case digits and NUL */

void md5_hex(const void *data, size_t len, char ret_hex[MD5_HEX_SIZE]);

#endif
