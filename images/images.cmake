# Generates `build_script`, with what the room `image` builds with: the script of the root file
# system, and the script and the options of our kernel.

set(root_script ${CMAKE_SOURCE_DIR}/images/debian/build-root.sh)
set(kernel_script ${CMAKE_SOURCE_DIR}/images/kernel/build-kernel.sh)
set(kernel_config ${CMAKE_SOURCE_DIR}/images/kernel/minimal.config)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${root_script} ${kernel_script} ${kernel_config})
file(READ ${root_script} GONDOLIN_BUILD_SCRIPT)
file(READ ${kernel_script} GONDOLIN_KERNEL_SCRIPT)
file(READ ${kernel_config} GONDOLIN_KERNEL_CONFIG)
set(build_script ${CMAKE_BINARY_DIR}/generated/build_script.cpp)
configure_file(${CMAKE_SOURCE_DIR}/src/image/build_script.cpp.in ${build_script} @ONLY)
