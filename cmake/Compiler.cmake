# Which compilers may build this, and with which flags.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} destroys temporaries inside co_await expressions twice. "
    "Use clang 19 (cmake --preset release) or g++ 13 and newer.")
endif()

add_library(gondolin_flags INTERFACE)
target_compile_options(gondolin_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Werror
  -fno-omit-frame-pointer -fstack-protector-strong -fvisibility=hidden)

if(GONDOLIN_SANITIZER)
  target_compile_options(gondolin_flags INTERFACE
    -fsanitize=${GONDOLIN_SANITIZER} -fno-sanitize-recover=all)
  target_link_options(gondolin_flags INTERFACE -fsanitize=${GONDOLIN_SANITIZER})
else()
  target_compile_options(gondolin_flags INTERFACE $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3>)
endif()

if(GONDOLIN_BUILD_FUZZERS)
  # libFuzzer steers by the coverage of the code under test, not of its own file.
  target_compile_options(gondolin_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(gondolin_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
