# The target `docs`: the API reference, by Doxygen, which fails on what is not documented.
find_package(Doxygen 1.9)
find_package(Python3 COMPONENTS Interpreter)
if(DOXYGEN_FOUND AND Python3_FOUND)
  set(GONDOLIN_REFERENCE_DIR ${CMAKE_BINARY_DIR}/docs)
  file(MAKE_DIRECTORY ${GONDOLIN_REFERENCE_DIR})
  configure_file(${CMAKE_SOURCE_DIR}/docs/doxygen/Doxyfile.in ${GONDOLIN_REFERENCE_DIR}/Doxyfile @ONLY)
  add_custom_target(docs
    COMMAND ${DOXYGEN_EXECUTABLE} ${GONDOLIN_REFERENCE_DIR}/Doxyfile
    COMMENT "API reference in ${GONDOLIN_REFERENCE_DIR}/html" VERBATIM)
endif()
