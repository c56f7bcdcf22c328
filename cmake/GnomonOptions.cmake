# Options and the one INTERFACE target that carries every compile and link flag of the project.

option(GNOMON_BUILD_TESTS "Build unit, simulation and benchmark programs" ON)
option(GNOMON_FUZZ "Build libFuzzer targets (clang only)" OFF)
set(GNOMON_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (address,undefined or thread)")
set(GNOMON_DPDK "AUTO" CACHE STRING "DPDK dataplane: AUTO, ON or OFF")
set_property(CACHE GNOMON_DPDK PROPERTY STRINGS AUTO ON OFF)
option(GNOMON_COVERAGE "Instrument for gcov" OFF)
option(GNOMON_QUICK_TESTS "Compile test code unoptimised and with a precompiled header" OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

add_library(gnomon_flags INTERFACE)
target_include_directories(gnomon_flags INTERFACE "${PROJECT_SOURCE_DIR}")
# -ffp-contract=off: golden servo traces hold across machines. -ffast-math is banned.
# No -D_FILE_OFFSET_BITS: it renames open(), which simulators interpose.
target_compile_options(gnomon_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Wvla
  -Wno-missing-field-initializers -Werror=return-type -ffp-contract=off -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # Narrowing to the byte types of the wire is what the codecs are for.
  target_compile_options(gnomon_flags INTERFACE -Wno-implicit-int-float-conversion)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(gnomon_flags INTERFACE -fstack-protector-strong)
  target_compile_definitions(gnomon_flags INTERFACE _FORTIFY_SOURCE=2)
  target_link_options(gnomon_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(GNOMON_SANITIZE)
  target_compile_options(gnomon_flags INTERFACE
    -fsanitize=${GNOMON_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(gnomon_flags INTERFACE -fsanitize=${GNOMON_SANITIZE})
endif()
if(GNOMON_COVERAGE)
  target_compile_options(gnomon_flags INTERFACE --coverage)
  target_link_options(gnomon_flags INTERFACE --coverage)
endif()
if(GNOMON_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "GNOMON_FUZZ needs clang: use the 'fuzz' preset")
  endif()
  target_compile_options(gnomon_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
