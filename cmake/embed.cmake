# The same for any object format, slower to compile.
function(airlock_embed_bytes target name file)
  get_filename_component(path "${file}" ABSOLUTE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${path}")
  file(READ "${path}" bytes HEX)
  string(REGEX REPLACE "(..)" "(char)0x\\1," bytes "${bytes}")
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}.c")
  file(WRITE "${source}.in" "#include <stddef.h>
extern const char ${name}[];
extern const size_t ${name}_len;
const char ${name}[] = { ${bytes} 0 };
const size_t ${name}_len = sizeof(${name}) - 1;
")
  configure_file("${source}.in" "${source}" COPYONLY)
  target_sources(${target} PRIVATE "${source}")
endfunction()

# airlock_embed(target name file): the bytes of FILE become `const char NAME[]`, NUL-terminated,
# and `const size_t NAME_len` without the NUL. By .incbin, since string literals over 4,095 bytes
# fail under -Wpedantic.
function(airlock_embed target name file)
  if(AIRLOCK_POSIX)
    airlock_embed_bytes(${target} ${name} "${file}")
    return()
  endif()
  get_filename_component(path "${file}" ABSOLUTE)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}.S")
  file(WRITE "${source}.in" "
	.section .rodata
	.global ${name}
	.type ${name}, @object
	.balign 8
${name}:
	.incbin \"${path}\"
0:	.byte 0
	.size ${name}, . - ${name}
	.global ${name}_len
	.type ${name}_len, @object
	.balign 8
${name}_len:
	.quad 0b - ${name}
	.size ${name}_len, 8
	.section .note.GNU-stack,\"\",%progbits
")
  configure_file("${source}.in" "${source}" COPYONLY)
  set_source_files_properties("${source}" PROPERTIES OBJECT_DEPENDS "${path}")
  target_sources(${target} PRIVATE "${source}")
endfunction()
