# gnomon_module_copy(NAME OF TARGET…): a static library NAME of the sources of gnomon libraries, compiled
# once more as position-independent code with hidden symbols, to be linked into a module. A module that
# is loaded brings its own copies: they have no globals, and the programs need not export anything.

function(gnomon_module_copy name)
  cmake_parse_arguments(ARG "" "" "OF;DEPENDS" ${ARGN})
  set(sources)
  foreach(target IN LISTS ARG_OF)
    get_target_property(directory ${target} SOURCE_DIR)
    get_target_property(files ${target} SOURCES)
    foreach(file IN LISTS files)
      if(NOT IS_ABSOLUTE "${file}")
        set(file "${directory}/${file}")
      endif()
      list(APPEND sources "${file}")
    endforeach()
  endforeach()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC gnomon_flags ${ARG_DEPENDS})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()
