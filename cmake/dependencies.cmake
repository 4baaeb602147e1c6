# libyaml, jansson and pcre2, found by pkg-config. For a static program the archives are named
# through the *_STATIC_* variables: an imported target would record the shared libraries' paths.
find_package(PkgConfig REQUIRED)
pkg_check_modules(YAML REQUIRED yaml-0.1)
pkg_check_modules(JANSSON REQUIRED jansson>=2.13)
pkg_check_modules(PCRE2 REQUIRED libpcre2-8)

add_library(airlock_dependencies INTERFACE)
if(AIRLOCK_STATIC)
  set(kind _STATIC)
  # Not by check_pie_supported(), whose -pie undoes -static-pie.
  target_compile_options(airlock_dependencies INTERFACE -fPIE)
  target_link_options(airlock_dependencies INTERFACE -static-pie)
endif()
foreach(library YAML JANSSON PCRE2)
  target_include_directories(airlock_dependencies SYSTEM INTERFACE ${${library}_INCLUDE_DIRS})
  target_link_directories(airlock_dependencies INTERFACE ${${library}${kind}_LIBRARY_DIRS})
  target_link_libraries(airlock_dependencies INTERFACE ${${library}${kind}_LIBRARIES})
endforeach()
