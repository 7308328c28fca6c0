# How every target is compiled: the interface target satchel_defaults, and ccache.

option(SATCHEL_WERROR "Warnings are errors; the presets dev, asan and tsan set it, packages do not" OFF)
option(SATCHEL_FUZZ "Build the fuzzers with clang's libFuzzer in place of their replay programs" OFF)
set(SATCHEL_SANITIZE "" CACHE STRING "What -fsanitize= gets, for example address,undefined")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, RelWithDebInfo or Release" FORCE)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)  # a libfuse from build/deps stays found

add_library(satchel_defaults INTERFACE)
target_compile_features(satchel_defaults INTERFACE cxx_std_20)
target_include_directories(satchel_defaults INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(satchel_defaults INTERFACE
  _FILE_OFFSET_BITS=64)
target_compile_options(satchel_defaults INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor
  $<$<BOOL:${SATCHEL_WERROR}>:-Werror>
  -fno-omit-frame-pointer)
find_package(Threads REQUIRED)
target_link_libraries(satchel_defaults INTERFACE Threads::Threads)

if(SATCHEL_SANITIZE)
  target_compile_options(satchel_defaults INTERFACE
    -fsanitize=${SATCHEL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(satchel_defaults INTERFACE -fsanitize=${SATCHEL_SANITIZE})
endif()
if(SATCHEL_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "SATCHEL_FUZZ needs clang: use the preset fuzz")
  endif()
  target_compile_options(satchel_defaults INTERFACE -fsanitize=fuzzer-no-link)
endif()

# __FILE__ and debug lines start at the source root, so a build says nothing about where it was made.
# ccache hands the compiler paths relative to the build folder, hence the second form.
file(RELATIVE_PATH satchel_up "${CMAKE_BINARY_DIR}" "${CMAKE_SOURCE_DIR}")
target_compile_options(satchel_defaults INTERFACE
  "-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/="
  "-fmacro-prefix-map=${satchel_up}=")

# Build folders share one cache: CCACHE_BASEDIR makes paths relative before they are hashed, and the
# folder itself, which only debug information would name, is left out.
find_program(SATCHEL_CCACHE ccache)
if(SATCHEL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=true "${SATCHEL_CCACHE}")
endif()
