# Flags for our own targets. They are PRIVATE: nothing here reaches a project that links ampacity::ampacity.
include_guard()

function(ampacity_target_options target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)

  if(MSVC)
    target_compile_options(${target} PRIVATE /W4 /utf-8 /permissive- /bigobj $<$<BOOL:${AMPACITY_WARNINGS_AS_ERRORS}>:/WX>)
    target_compile_definitions(${target} PRIVATE _USE_MATH_DEFINES NOMINMAX)
    return()
  endif()

  target_compile_options(
    ${target}
    PRIVATE -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wconversion
            -Wnon-virtual-dtor
            -Woverloaded-virtual
            # Designated initialisers that name only the fields they change are our normal way to write a spec.
            -Wno-missing-field-initializers
            $<$<BOOL:${AMPACITY_WARNINGS_AS_ERRORS}>:-Werror>)

  # Bit-identical results on every machine: a fused multiply-add where the compiler happens to find one would differ.
  target_compile_options(${target} PRIVATE -ffp-contract=off)

  if(AMPACITY_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${AMPACITY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${AMPACITY_SANITIZE})
  endif()
endfunction()
