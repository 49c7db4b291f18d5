# Targets `format`, `format-check` and `tidy` over the files git knows.

find_program(CLANG_FORMAT NAMES clang-format-19)
find_program(RUN_CLANG_TIDY NAMES run-clang-tidy-19)
set(list_sources "git -C '${CMAKE_SOURCE_DIR}' ls-files '*.cpp' '*.hpp' | sed 's|^|${CMAKE_SOURCE_DIR}/|'")

if(CLANG_FORMAT)
  add_custom_target(format
    COMMAND sh -c "${list_sources} | xargs -r ${CLANG_FORMAT} -i" VERBATIM)
  add_custom_target(format-check
    COMMAND sh -c "${list_sources} | xargs -r ${CLANG_FORMAT} --dry-run --Werror" VERBATIM)
endif()
if(RUN_CLANG_TIDY)
  add_custom_target(tidy
    COMMAND ${RUN_CLANG_TIDY} -quiet -p ${CMAKE_BINARY_DIR} "${CMAKE_SOURCE_DIR}/(src|guest)/.*" VERBATIM)
endif()
