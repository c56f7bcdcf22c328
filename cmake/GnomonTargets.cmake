# gnomon_library(NAME SOURCES … [DEPENDS …]): a static library that carries the project's flags.
# gnomon_program(NAME SOURCES … [DEPENDS …]): an executable in bin/.
# gnomon_test(NAME SOURCES … [DEPENDS …] [LABELS …]): a GoogleTest program registered with ctest.
# gnomon_fuzzer(NAME SOURCES … [DEPENDS …]): a libFuzzer target; without GNOMON_FUZZ the same source
#   is linked with a driver that replays tests/fuzz/corpus/NAME, and registered with ctest.

function(gnomon_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC gnomon_flags ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
endfunction()

function(gnomon_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE gnomon_flags ${ARG_DEPENDS})
endfunction()

# Optimising and instrumenting the body of a test is most of what a sanitizer build costs, and tells
# nothing about the code under test, which keeps its flags. The two must agree: a target may only
# reuse a precompiled header that was made with its own options.
function(gnomon_quick_test name)
  # glibc refuses to fortify without optimisation.
  target_compile_options(${name} PRIVATE -O0 -U_FORTIFY_SOURCE)
  if(NOT TARGET gnomon_test_pch)
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/test_pch.cc" CONTENT "")
    add_library(gnomon_test_pch OBJECT "${PROJECT_BINARY_DIR}/test_pch.cc")
    target_link_libraries(gnomon_test_pch PRIVATE gnomon_flags GTest::gtest GTest::gmock)
    target_compile_options(gnomon_test_pch PRIVATE -O0 -U_FORTIFY_SOURCE)
    target_precompile_headers(gnomon_test_pch PRIVATE
      <gmock/gmock.h> <gtest/gtest.h> <algorithm> <array> <cmath> <functional> <map> <memory>
      <optional> <string> <vector>)
  endif()
  target_precompile_headers(${name} REUSE_FROM gnomon_test_pch)
endfunction()

function(gnomon_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE gnomon_flags ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(GNOMON_QUICK_TESTS)
    gnomon_quick_test(${name})
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
endfunction()

function(gnomon_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  set(corpus "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}")
  if(GNOMON_FUZZ)
    add_executable(fuzz_${name} ${ARG_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE gnomon_flags ${ARG_DEPENDS})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${ARG_SOURCES} "${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc")
    target_link_libraries(fuzz_${name} PRIVATE gnomon_flags ${ARG_DEPENDS})
    add_test(NAME fuzz_${name}_corpus COMMAND fuzz_${name} "${corpus}")
    set_tests_properties(fuzz_${name}_corpus PROPERTIES LABELS fuzz)
  endif()
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
endfunction()
