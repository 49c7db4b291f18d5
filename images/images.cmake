# Compiles the build script of the images into the room `image`.

set(script ${CMAKE_SOURCE_DIR}/images/debian/build-root.sh)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
file(READ ${script} GONDOLIN_BUILD_SCRIPT)
configure_file(${CMAKE_SOURCE_DIR}/src/image/build_script.cpp.in
               ${CMAKE_BINARY_DIR}/generated/build_script.cpp @ONLY)
target_sources(gondolin_image PRIVATE ${CMAKE_BINARY_DIR}/generated/build_script.cpp)
