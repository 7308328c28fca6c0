# The four forms in which this project declares what it builds.
#
#   satchel_module(NAME store
#     SOURCES chunk_id.cpp chunker.cpp import/tar_import.cpp     # every .cpp, by hand
#     LINK satchel_base                                          # visible to who links this module
#     LINK_PRIVATE PkgConfig::rocksdb PkgConfig::zstd)           # behind this module's doors
#       in store/CMakeLists.txt makes the static library satchel_store.
#
#   satchel_test(NAME unit_store LABEL unit
#     SOURCES chunk_id_test.cpp chunker_test.cpp
#     LINK satchel_store
#     [TIMEOUT 60] [SERIAL])
#       in test/unit/store/CMakeLists.txt makes the program tests/unit_store with doctest's main() and
#       test/support, and one ctest "unit_store/<case name>" for each case. LABEL is one of unit, mount,
#       e2e, model, stress, full. SERIAL: no other test runs meanwhile. TIMEOUT: seconds for each case.
#       A case that cannot run here prints "SATCHEL-SKIP: <reason>" (test/support/skip.h).
#
#   satchel_fuzzer(NAME rule_parser
#     SOURCES rule_parser_fuzz.cpp                               # defines LLVMFuzzerTestOneInput
#     LINK satchel_policies)
#       in test/fuzz/CMakeLists.txt makes fuzz/rule_parser: with the preset `fuzz` a libFuzzer program,
#       else one that replays test/fuzz/corpus/rule_parser/ and seeded mutations of it as the ctest
#       fuzz_rule_parser, label fuzz-smoke.
#
#   satchel_command_test(NAME tidy_architecture LABEL tidy
#     COMMAND python3 "${CMAKE_CURRENT_SOURCE_DIR}/architecture.py"
#     [NEEDS satchel] [TIMEOUT 600] [SERIAL])
#       any other command as a ctest; exit code 77 means skipped. NEEDS: targets it runs.
#
# The targets tests_<label> (tests_unit, tests_fuzz-smoke …) build just what that label needs.
# A new CMakeLists.txt is seen after the next `cmake --preset dev`.

include(doctest)

function(satchel_module)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;LINK;LINK_PRIVATE")
  satchel_check_arguments("${arg_UNPARSED_ARGUMENTS}" "${arg_NAME}" "${arg_SOURCES}")
  add_library(satchel_${arg_NAME} STATIC ${arg_SOURCES})
  target_link_libraries(satchel_${arg_NAME}
    PUBLIC satchel_defaults ${arg_LINK}
    PRIVATE ${arg_LINK_PRIVATE})
endfunction()

function(satchel_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "SERIAL" "NAME;LABEL;TIMEOUT" "SOURCES;LINK")
  satchel_check_arguments("${arg_UNPARSED_ARGUMENTS}" "${arg_NAME}" "${arg_SOURCES}")
  add_executable(${arg_NAME} ${arg_SOURCES})
  set_target_properties(${arg_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_link_libraries(${arg_NAME} PRIVATE satchel_defaults satchel_test_main ${arg_LINK})
  # A sanitized test case takes twice as long to optimize, and runs for a moment.
  if(SATCHEL_SANITIZE AND arg_LABEL STREQUAL "unit")
    target_compile_options(${arg_NAME} PRIVATE -O0)
  endif()
  satchel_add_to_label(${arg_LABEL} ${arg_NAME})
  satchel_test_properties(properties "${arg_LABEL}" "${arg_TIMEOUT}" "${arg_SERIAL}")
  doctest_discover_tests(${arg_NAME}
    TEST_PREFIX "${arg_NAME}/"
    PROPERTIES ${properties} SKIP_REGULAR_EXPRESSION "SATCHEL-SKIP: ")
endfunction()

function(satchel_fuzzer)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;LINK")
  satchel_check_arguments("${arg_UNPARSED_ARGUMENTS}" "${arg_NAME}" "${arg_SOURCES}")
  set(target fuzz_${arg_NAME})
  set(corpus "${CMAKE_SOURCE_DIR}/test/fuzz/corpus/${arg_NAME}")
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${arg_NAME}
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
  target_link_libraries(${target} PRIVATE satchel_defaults ${arg_LINK})
  if(SATCHEL_FUZZ)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    # What libFuzzer finds goes to the first folder; the corpus is only read.
    set(found "${CMAKE_BINARY_DIR}/fuzz/found/${arg_NAME}")
    file(MAKE_DIRECTORY "${found}")
    set(command ${target} -runs=20000 -max_total_time=60 "${found}" "${corpus}")
  else()
    target_link_libraries(${target} PRIVATE satchel_fuzz_replay)
    set(command ${target} "${corpus}")
  endif()
  add_test(NAME ${target} COMMAND ${command})
  satchel_test_properties(properties fuzz-smoke 120 FALSE)
  set_tests_properties(${target} PROPERTIES ${properties})
  satchel_add_to_label(fuzz-smoke ${target})
endfunction()

function(satchel_command_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "SERIAL" "NAME;LABEL;TIMEOUT" "COMMAND;NEEDS")
  satchel_check_arguments("${arg_UNPARSED_ARGUMENTS}" "${arg_NAME}" "${arg_COMMAND}")
  add_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND})
  satchel_test_properties(properties "${arg_LABEL}" "${arg_TIMEOUT}" "${arg_SERIAL}")
  set_tests_properties(${arg_NAME} PROPERTIES ${properties} SKIP_RETURN_CODE 77)
  satchel_add_to_label(${arg_LABEL} ${arg_NEEDS})
endfunction()

# What follows serves the functions above.

function(satchel_test_properties result label timeout serial)
  set(timeout_s 60)
  if(timeout)
    set(timeout_s ${timeout})
  endif()
  # A sanitizer slows a program about fourfold.
  if(SATCHEL_SANITIZE OR SATCHEL_FUZZ)
    math(EXPR timeout_s "${timeout_s} * 4")
  endif()
  set(properties LABELS ${label} TIMEOUT ${timeout_s})
  if(serial)
    list(APPEND properties RUN_SERIAL TRUE)
  endif()
  set(${result} ${properties} PARENT_SCOPE)
endfunction()

function(satchel_add_to_label label)
  if(NOT label MATCHES "^(unit|mount|e2e|model|fuzz-smoke|stress|full|tidy|format|bench)$")
    message(FATAL_ERROR "LABEL is '${label}', which is none of those in docs/testing.md")
  endif()
  if(NOT TARGET tests_${label})
    add_custom_target(tests_${label})
  endif()
  if(ARGN)
    add_dependencies(tests_${label} ${ARGN})
  endif()
endfunction()

function(satchel_check_arguments unparsed name what)
  if(unparsed)
    message(FATAL_ERROR "Unknown arguments: ${unparsed}")
  endif()
  if(NOT name OR NOT what)
    message(FATAL_ERROR "NAME, and SOURCES or COMMAND, are needed")
  endif()
endfunction()
