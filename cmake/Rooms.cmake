# gondolin_room(NAME [DEPS rooms…] [LIBS targets…])
#   The static library gondolin_NAME, made of every .cpp in src/NAME.
#   DEPS are other rooms, LIBS anything else it links.
#
# gondolin_unit_tests(NAME [LIBS targets…])
#   The test program unit_NAME, made of every .cpp in tests/unit/NAME; each test
#   in it is a ctest of its own, labelled "unit".

function(gondolin_room name)
  cmake_parse_arguments(ROOM "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  list(TRANSFORM ROOM_DEPS PREPEND gondolin_)
  if(sources)
    add_library(gondolin_${name} STATIC ${sources})
    target_link_libraries(gondolin_${name} PUBLIC ${ROOM_DEPS} ${ROOM_LIBS} PRIVATE gondolin_flags)
    target_include_directories(gondolin_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  else()
    add_library(gondolin_${name} INTERFACE)
    target_link_libraries(gondolin_${name} INTERFACE ${ROOM_DEPS} ${ROOM_LIBS})
    target_include_directories(gondolin_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  endif()
endfunction()

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
