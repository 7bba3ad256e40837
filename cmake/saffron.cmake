# Compile options and the three ways to declare a target.

add_library(saffron_options INTERFACE)
target_include_directories(saffron_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
target_compile_options(saffron_options INTERFACE -Wall -Wextra -Wpedantic -Werror
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(SAFFRON_SANITIZE)
  target_compile_options(saffron_options INTERFACE -fsanitize=${SAFFRON_SANITIZE} -fno-omit-frame-pointer
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)  # false ones, from the sanitizers' own code
  target_link_options(saffron_options INTERFACE -fsanitize=${SAFFRON_SANITIZE})
endif()
if(SAFFRON_FUZZ)
  # Coverage for the fuzzers; what a sanitizer sees ends the run. clang 14 takes calls through
  # pointers of C libraries for wrong ones.
  target_compile_options(saffron_options INTERFACE
    -fsanitize=fuzzer-no-link -fno-sanitize=function -fno-sanitize-recover=all)
endif()

# saffron_library(NAME SOURCES... LINKS...): one library a folder; LINKS are the folders it may see.
function(saffron_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC saffron_options ${ARG_LINKS})
endfunction()

# saffron_test(NAME SOURCES... LINKS... [ENVIRONMENT k=v...]): one GoogleTest program, one ctest entry
# a program. Unit tests stand beside their code (foo_test.cc).
function(saffron_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINKS;ENVIRONMENT" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE saffron_options ${ARG_LINKS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()

# Tests that reach Kafka. librdkafka starts C11 threads, which this ThreadSanitizer does not know: it
# dies in the first of them.
function(saffron_tests_with_kafka)
  if(SAFFRON_SANITIZE MATCHES "thread")
    set_tests_properties(${ARGN} PROPERTIES DISABLED TRUE)
  endif()
endfunction()

# saffron_mutants(NAME SOURCES... LINKS...): the tests of a program over libraries in which the
# switches of src/eventlog/mutation.h work; tests/sim/history_mutants_test.py runs it.
function(saffron_mutants name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE saffron_options ${ARG_LINKS} GTest::gmock GTest::gtest_main)
  set_property(GLOBAL APPEND PROPERTY SAFFRON_MUTANTS ${name})
endfunction()
