# One target a module. A module's sources are all its .cc files but *_test.cc, *_fuzz.cc, *_bench.cc and main.cc, its .cu
# files where CMake has a CUDA compiler, and those of the folders below it that FOLDERS names. tests/layering_test.cc
# compares the modules among DEPS and PRIVATE_DEPS with what the sources include.
#
#   galley_library(base DEPS absl::strings PRIVATE_DEPS spdlog::spdlog)
#   galley_library(layers SPEC activations.cc SPEC_DEPS tensor DEPS ops)   # layers_spec: the pure part, which trainctl
#                                      # and the controller link without the rest; layers has both
#   galley_tests(base)                 # base_test from every *_test.cc of the folder and of FOLDERS
#   galley_binary(galley-rank DEPS train)
#   galley_fuzz(recipe_fuzz DEPS recipe SEEDS a.yaml b.yaml)   # seeds: files that ctest's run begins with

set(GALLEY_WARNINGS -Wall -Wextra -Werror -Wno-error=deprecated-declarations)
# Plans and data orders are the same bytes on every machine: no contraction unless a module asks for it.
set(GALLEY_FLAGS -ffp-contract=off -fno-math-errno)

function(galley_flags target)
  # nvcc takes none of these by itself.
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C,CXX>:${GALLEY_WARNINGS};${GALLEY_FLAGS}>")
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# For tests' own sources, which the sanitizers' builds do not optimise: that compiles them in half the time. What they test is
# optimised there all the same, for the time that tests take.
function(galley_test_flags target)
  galley_flags(${target})
  target_compile_options(${target} PRIVATE $<$<CONFIG:Debug>:-O0>)
endfunction()

# Headers of nearly every source, compiled once for `product` (libraries) and once for `tests`. Sources include what they use
# all the same. GCC takes a precompiled header only with the flags that made it: what has -fopenmp or another -O has none,
# and what uses gRPC, whose targets add -pthread, has its own (PCH).
set(GALLEY_PCH <algorithm> <functional> <map> <memory> <optional> <span> <string> <vector> <absl/status/statusor.h>
    <absl/strings/str_cat.h>)
# ccache needs the first. GCC 12 takes what it inlines out of a precompiled std::string for ours and warns of overflows that
# it keeps to itself without; clang-tidy still looks for them.
set(GALLEY_PCH_FLAGS "$<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess;-Wno-stringop-overread;-Wno-stringop-overflow>")
if(NOT GALLEY_FUZZ AND NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/pch.cc CONTENT "")
  foreach(kind product tests)
    add_library(galley_pch_${kind} OBJECT ${CMAKE_BINARY_DIR}/pch.cc)
    target_link_libraries(galley_pch_${kind} PRIVATE absl::statusor absl::strings)
    target_precompile_headers(galley_pch_${kind} PRIVATE ${GALLEY_PCH})
  endforeach()
  galley_flags(galley_pch_product)
  galley_test_flags(galley_pch_tests)
  set_target_properties(galley_pch_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(galley_pch_tests PRIVATE ${CMAKE_CXX_COMPILE_OPTIONS_PIE})
  target_link_libraries(galley_pch_tests PRIVATE GTest::gmock GTest::gtest)
  target_precompile_headers(galley_pch_tests PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
endif()

# The header of `kind`, or one of the target's own with `more` in it: headers that take seconds and that nearly every source
# of the target includes. None for a target that links OpenMP (the dependencies after `more`).
function(galley_pch target kind more)
  if(NOT TARGET galley_pch_${kind} OR "${ARGN}" MATCHES "OpenMP")
    return()
  endif()
  if(more)
    get_target_property(headers galley_pch_${kind} PRECOMPILE_HEADERS)
    target_precompile_headers(${target} PRIVATE ${headers} ${more})
  else()
    target_precompile_headers(${target} REUSE_FROM galley_pch_${kind})
  endif()
  target_compile_options(${target} PRIVATE "${GALLEY_PCH_FLAGS}")
endfunction()

# A dependency named without '::' and known as a module means that module.
function(galley_resolve out)
  set(result)
  foreach(dep IN LISTS ARGN)
    if(TARGET galley_${dep})
      list(APPEND result galley_${dep})
    else()
      list(APPEND result ${dep})
    endif()
  endforeach()
  set(${out} ${result} PARENT_SCOPE)
endfunction()

# The files of this folder and of the folders below it named that fit a pattern.
function(galley_sources out pattern)
  set(globs ${CMAKE_CURRENT_SOURCE_DIR}/${pattern})
  foreach(sub IN LISTS ARGN)
    list(APPEND globs ${CMAKE_CURRENT_SOURCE_DIR}/${sub}/${pattern})
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${globs})
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

function(galley_library module)
  cmake_parse_arguments(ARG "" "" "FOLDERS;SPEC;SPEC_DEPS;DEPS;PRIVATE_DEPS;PCH" ${ARGN})
  galley_sources(sources *.cc ${ARG_FOLDERS})
  list(FILTER sources EXCLUDE REGEX "(_test|_fuzz|_bench)\\.cc$|/main\\.cc$")
  if(CMAKE_CUDA_COMPILER)
    galley_sources(kernels *.cu ${ARG_FOLDERS})
    list(APPEND sources ${kernels})
  endif()
  if(ARG_SPEC)
    foreach(pattern IN LISTS ARG_SPEC)
      galley_sources(found ${pattern} ${ARG_FOLDERS})
      list(APPEND specs ${found})
    endforeach()
    list(REMOVE_ITEM sources ${specs})
    galley_resolve(spec_deps ${ARG_SPEC_DEPS})
    add_library(galley_${module}_spec STATIC ${specs})
    galley_flags(galley_${module}_spec)
    galley_pch(galley_${module}_spec product "")
    target_link_libraries(galley_${module}_spec PUBLIC ${spec_deps})
    list(APPEND ARG_DEPS ${module}_spec)
  endif()
  galley_resolve(deps ${ARG_DEPS})
  galley_resolve(private_deps ${ARG_PRIVATE_DEPS})
  if(sources)
    add_library(galley_${module} STATIC ${sources})
    galley_flags(galley_${module})
    galley_pch(galley_${module} product "${ARG_PCH}" ${deps} ${private_deps})
    target_link_libraries(galley_${module} PUBLIC ${deps} PRIVATE ${private_deps})
  else()
    add_library(galley_${module} INTERFACE)
    target_include_directories(galley_${module} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(galley_${module} INTERFACE ${deps} ${private_deps})
  endif()
endfunction()

function(galley_tests module)
  cmake_parse_arguments(ARG "" "" "FOLDERS;DEPS;PCH" ${ARGN})
  if(GALLEY_FUZZ)
    return()
  endif()
  galley_sources(sources *_test.cc ${ARG_FOLDERS})
  if(NOT sources)
    return()
  endif()
  galley_resolve(deps ${ARG_DEPS})
  add_executable(${module}_test ${sources})
  galley_test_flags(${module}_test)
  galley_pch(${module}_test tests "${ARG_PCH}" ${deps})
  target_link_libraries(${module}_test PRIVATE galley_${module} ${deps} galley_test_paths GTest::gmock_main GTest::gtest)
  add_test(NAME ${module} COMMAND ${module}_test)
  set_tests_properties(${module} PROPERTIES LABELS unit TIMEOUT 600 ENVIRONMENT
                       "OMP_NUM_THREADS=2;TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/cmake/tsan.supp")
endfunction()

function(galley_binary name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  galley_resolve(deps ${ARG_DEPS})
  add_executable(${name} main.cc)
  galley_flags(${name})
  target_link_libraries(${name} PRIVATE ${deps})
endfunction()

function(galley_fuzz name)
  cmake_parse_arguments(ARG "" "FILE" "DEPS;SEEDS" ${ARGN})
  if(NOT GALLEY_FUZZ)
    return()
  endif()
  galley_resolve(deps ${ARG_DEPS})
  if(NOT ARG_FILE)
    set(ARG_FILE ${name}.cc)
  endif()
  add_executable(${name} ${ARG_FILE})
  galley_flags(${name})
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${name} PRIVATE ${deps})
  list(JOIN ARG_SEEDS "," seeds)
  if(seeds)
    string(PREPEND seeds "-seed_inputs=")
  endif()
  set_target_properties(${name} PROPERTIES GALLEY_SEEDS "${seeds}")
  set_property(GLOBAL APPEND PROPERTY GALLEY_FUZZERS ${name})
endfunction()

# A module of numeric kernels: OpenMP, loops that vectorise, fused multiply-add. Optimised in every build type
# but Debug's own, so that sanitizer runs see the loops as written.
function(galley_kernel_flags module)
  set_target_properties(galley_${module} PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)
  target_compile_options(galley_${module} PRIVATE $<$<CONFIG:Release>:-O3> -ffp-contract=fast -Wno-unknown-pragmas)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    target_compile_options(galley_${module} PRIVATE -mprefer-vector-width=512)
  endif()
  if(TARGET OpenMP::OpenMP_CXX)
    target_link_libraries(galley_${module} PRIVATE OpenMP::OpenMP_CXX)
  endif()
endfunction()
