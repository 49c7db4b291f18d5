# The presets compile several files of a target as one (CMAKE_UNITY_BUILD): a full build takes a third
# of the time. -DCMAKE_UNITY_BUILD=OFF compiles each by itself.
#
# gondolin_compile_alone(FILE...)
#   Files of this folder's targets that stay by themselves, for they give a name of their own to
#   something that another file of the target calls the same.
function(gondolin_compile_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
