# One interface target with the language rules of the house; everything links it.
add_library(airlock_rules INTERFACE)
target_compile_options(airlock_rules INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wswitch-enum
  -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef
  -Wwrite-strings -Wformat=2 -Wcast-qual -Wnull-dereference
  -fno-common
  "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
target_compile_definitions(airlock_rules INTERFACE _GNU_SOURCE
  AIRLOCK_VERSION="${PROJECT_VERSION}")
target_include_directories(airlock_rules INTERFACE ${CMAKE_SOURCE_DIR}/include)

if(AIRLOCK_POSIX)
  target_compile_definitions(airlock_rules INTERFACE AIRLOCK_POSIX) # the tests ask for it
endif()
include(CheckStructHasMember)
check_struct_has_member("struct stat" st_mtim sys/stat.h AIRLOCK_HAS_ST_MTIM LANGUAGE C)
if(NOT AIRLOCK_HAS_ST_MTIM) # its name on macOS
  target_compile_definitions(airlock_rules INTERFACE st_mtim=st_mtimespec)
endif()
if(AIRLOCK_FAULTS)
  target_compile_definitions(airlock_rules INTERFACE AIRLOCK_FAULTS)
endif()
if(AIRLOCK_SANITIZE)
  target_compile_options(airlock_rules INTERFACE
    -fsanitize=${AIRLOCK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(airlock_rules INTERFACE -fsanitize=${AIRLOCK_SANITIZE})
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "MinSizeRel")
  target_compile_options(airlock_rules INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
endif()
