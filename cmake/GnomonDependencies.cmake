# Everything from Debian; scripts/deps installs it. Why each is here: docs/adr/.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(NETTLE REQUIRED IMPORTED_TARGET nettle)
pkg_check_modules(LIBCAP REQUIRED IMPORTED_TARGET libcap)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(EDIT REQUIRED IMPORTED_TARGET libedit)
if(GNOMON_BUILD_TESTS)
  find_package(GTest)
  if(NOT GTest_FOUND)
    # scripts/run installs only what running needs. Not cached: the next configuration looks again.
    message(STATUS "GoogleTest is not installed: tests are not built (scripts/deps --test)")
    set(GNOMON_BUILD_TESTS OFF)
  endif()
endif()
