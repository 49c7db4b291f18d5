# What `cmake --install` gives: the library, shared and static, for other programs to build
# on (find_package(gondolin), pkg-config gondolin); the program; the guest programs.
#
# Both libraries are made of the rooms' objects. Of the shared one nothing can be seen but
# what the headers mark with GONDOLIN_API and what comes with that (tests/sdk/symbols).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(rooms base wire io vfs http ingress image vm api)
list(TRANSFORM rooms REPLACE "(.+)" "$<TARGET_OBJECTS:gondolin_\\1>" OUTPUT_VARIABLE objects)
set(public_headers "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>"
  "$<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")

# The libraries that the rooms stand on.
set(foundations fmt::fmt PkgConfig::NETTLE PkgConfig::FUSE3 PkgConfig::LZ4 Threads::Threads)

add_library(gondolin_shared SHARED ${objects})
target_link_libraries(gondolin_shared PRIVATE ${foundations} gondolin_flags)
target_link_options(gondolin_shared PRIVATE
  LINKER:--version-script=${CMAKE_CURRENT_LIST_DIR}/exports.map LINKER:--no-undefined)
set_target_properties(gondolin_shared PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/exports.map)
add_library(gondolin_static STATIC ${objects})
target_link_libraries(gondolin_static PUBLIC ${foundations})
target_compile_features(gondolin_shared PUBLIC cxx_std_20)
target_compile_features(gondolin_static PUBLIC cxx_std_20)
target_include_directories(gondolin_shared PUBLIC ${public_headers})
target_include_directories(gondolin_static PUBLIC ${public_headers})
# While the major version is 0, a new minor one may break programs.
set_target_properties(gondolin_shared PROPERTIES OUTPUT_NAME gondolin EXPORT_NAME gondolin
  LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set_target_properties(gondolin_static PROPERTIES OUTPUT_NAME gondolin EXPORT_NAME static LINKER_LANGUAGE CXX)

install(TARGETS gondolin_shared EXPORT gondolinSharedTargets)
install(TARGETS gondolin_static EXPORT gondolinStaticTargets)
install(DIRECTORY include/gondolin ${CMAKE_BINARY_DIR}/include/gondolin
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.hpp)
install(TARGETS gondolin)
install(PROGRAMS ${GONDOLIN_GUEST_FILES} DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/gondolin)
install(FILES docs/gondolin.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gondolin)
foreach(kind Shared Static)
  install(EXPORT gondolin${kind}Targets NAMESPACE gondolin:: DESTINATION ${package_dir})
endforeach()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/gondolinConfig.cmake.in
  ${CMAKE_BINARY_DIR}/generated/gondolinConfig.cmake INSTALL_DESTINATION ${package_dir}
  PATH_VARS CMAKE_INSTALL_LIBEXECDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/gondolinConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/gondolinConfig.cmake
  ${CMAKE_BINARY_DIR}/generated/gondolinConfigVersion.cmake DESTINATION ${package_dir})

# Relative to the .pc file, so that a tree that was installed may be moved.
file(RELATIVE_PATH GONDOLIN_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/gondolin.pc.in ${CMAKE_BINARY_DIR}/generated/gondolin.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/generated/gondolin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
