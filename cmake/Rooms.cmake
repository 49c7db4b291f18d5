# gondolin_room(NAME [DEPS rooms…] [LIBS targets…] [GENERATED sources…])
#   The static library gondolin_NAME, made of every .cpp in src/NAME and of what is generated.
#   DEPS are other rooms, LIBS anything else it links. With GONDOLIN_CFI there is also
#   gondolin_NAME_cfi, the same with control-flow integrity, of which the program is made.
#
# gondolin_unit_tests(NAME [LIBS targets…])
#   The test program unit_NAME, made of every .cpp in tests/unit/NAME; each test
#   in it is a ctest of its own, labelled "unit".

function(gondolin_room name)
  cmake_parse_arguments(ROOM "" "" "DEPS;LIBS;GENERATED" ${ARGN})
  gondolin_room_library(gondolin_${name} "" gondolin_flags)
  if(GONDOLIN_CFI)
    gondolin_room_library(gondolin_${name}_cfi _cfi gondolin_cfi_flags)
    set_target_properties(gondolin_${name}_cfi PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

# For gondolin_room alone: one library of it, which uses those of other rooms that end in `suffix`.
macro(gondolin_room_library library suffix flags)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  list(TRANSFORM ROOM_DEPS REPLACE "(.+)" "gondolin_\\1${suffix}" OUTPUT_VARIABLE rooms)
  add_library(${library} STATIC ${sources} ${ROOM_GENERATED})
  target_link_libraries(${library} PUBLIC ${rooms} ${ROOM_LIBS} PRIVATE ${flags})
  target_include_directories(${library} PUBLIC
    ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include)
endmacro()

function(gondolin_unit_tests name)
  cmake_parse_arguments(TESTS "" "" "LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(unit_${name} ${sources})
  target_link_libraries(unit_${name} PRIVATE gondolin_${name} ${TESTS_LIBS} GTest::gmock GTest::gtest_main gondolin_flags)
  target_include_directories(unit_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  set_target_properties(unit_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  gtest_discover_tests(unit_${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS unit TIMEOUT 60)
endfunction()
