# Which compilers may build this, and with which flags.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} destroys temporaries inside co_await expressions twice. "
    "Use clang 19 (cmake --preset release) or g++ 13 and newer.")
endif()

# What makes a memory error harder to use, for host and guest programs alike; docs/security.md
# says what each is for, tests/security/hardening checks the finished files.
set(GONDOLIN_HARDENING_COMPILE -fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND GONDOLIN_HARDENING_COMPILE -fcf-protection=full)
endif()
set(GONDOLIN_FORTIFY $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3>)
set(GONDOLIN_HARDENING_LINK LINKER:-z,relro,-z,now,-z,noexecstack)

add_library(gondolin_flags INTERFACE)
target_compile_options(gondolin_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Werror
  -fno-omit-frame-pointer -fvisibility=hidden ${GONDOLIN_HARDENING_COMPILE})
target_link_options(gondolin_flags INTERFACE ${GONDOLIN_HARDENING_LINK})

if(GONDOLIN_SANITIZER)
  target_compile_options(gondolin_flags INTERFACE
    -fsanitize=${GONDOLIN_SANITIZER} -fno-sanitize-recover=all)
  target_link_options(gondolin_flags INTERFACE -fsanitize=${GONDOLIN_SANITIZER})
else()
  target_compile_options(gondolin_flags INTERFACE ${GONDOLIN_FORTIFY})
endif()

# Control-flow integrity of the program: calls through pointers reach only functions of their
# type, virtual calls only those of their class. It takes link-time optimization, whose object
# files no other linker reads, so it is for the program alone and not for libgondolin.
# Casts (the rest of clang's `cfi`) are not checked: libraries store into raw memory by them.
include(CMakeDependentOption)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT GONDOLIN_SANITIZER)
  set(cfi_possible ON)
endif()
cmake_dependent_option(GONDOLIN_CFI "Control-flow integrity of the program" ON cfi_possible OFF)
if(GONDOLIN_CFI)
  set(cfi -flto=thin -fsanitize=cfi-vcall,cfi-icall,cfi-mfcall)
  add_library(gondolin_cfi_flags INTERFACE)
  target_compile_options(gondolin_cfi_flags INTERFACE ${cfi})
  target_link_options(gondolin_cfi_flags INTERFACE ${cfi}
    LINKER:--thinlto-cache-dir=${CMAKE_BINARY_DIR}/lto-cache)
  target_link_libraries(gondolin_cfi_flags INTERFACE gondolin_flags)
endif()

if(GONDOLIN_BUILD_FUZZERS)
  # libFuzzer steers by the coverage of the code under test, not of its own file.
  target_compile_options(gondolin_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(gondolin_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

# With paths below the source folder made relative, every clone on a machine shares what one has
# compiled.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
