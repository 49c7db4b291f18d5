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
  # With commands of its own: those of a unity build name no single file.
  add_custom_target(tidy
    COMMAND ${CMAKE_COMMAND} --preset release -B ${CMAKE_BINARY_DIR}/tidy -DCMAKE_UNITY_BUILD=OFF
      -DGONDOLIN_BUILD_TESTS=OFF
    COMMAND ${RUN_CLANG_TIDY} -quiet -p ${CMAKE_BINARY_DIR}/tidy "${CMAKE_SOURCE_DIR}/(src|guest)/.*"
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM)
endif()
