#!/usr/bin/env bash
# Everything that a change must pass, from a fresh clone, as root:
#
#   packaging/check.sh           all tests of `dev`, and the unit, model and fuzz-smoke tests under ASan+UBSan
#   packaging/check.sh --full    also the tests labelled `full` and `stress`, and the unit tests under TSan
#
# A test that skips itself counts as a failure: as root with /dev/fuse there is no reason to.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
full=no
case "${1-}" in
  '') ;;
  --full) full=yes ;;
  *) echo "usage: packaging/check.sh [--full]" >&2; exit 2 ;;
esac

readonly jobs=2
times=()

# step NAME COMMAND…: runs it and remembers how long it took.
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@"
  times+=("$(printf '%5d s  %s' $((SECONDS - start)) "$name")")
}

# run_tests PRESET CTEST_ARGUMENTS…
run_tests() {
  local preset=$1 log
  shift
  log=build/$preset/check.log
  ctest --test-dir "build/$preset" -j$jobs --output-on-failure --no-tests=error "$@" | tee "$log"
  if grep -E '\*\*\*(Skipped|Not Run|Disabled)' "$log" >&2; then
    echo "check: the tests above did not run" >&2
    exit 1
  fi
}

# build PRESET TARGET…: without targets, all.
build() {
  local preset=$1
  shift
  cmake --preset "$preset" > "build/$preset.configure.log" || { cat "build/$preset.configure.log"; exit 1; }
  cmake --build "build/$preset" -j$jobs ${1:+--target "$@"}
}

# Targets tests_<label> exist only once a test has the label.
targets_of() {
  local preset=$1 label
  shift
  cmake --preset "$preset" > /dev/null
  for label in "$@"; do
    ninja -C "build/$preset" -t query "tests_$label" > /dev/null 2>&1 && printf 'tests_%s\n' "$label"
  done
  return 0
}

mkdir -p build
if [ "$full" = yes ]; then
  step "setup" packaging/setup.sh --full
else
  step "setup" packaging/setup.sh
fi

mapfile -t asan_targets < <(targets_of asan unit model fuzz-smoke)
step "asan: build" build asan "${asan_targets[@]}"
# Sanitized code is several times slower, so random trees are fewer; dev tries them all.
SATCHEL_MODEL_CASES=1500 step "asan: unit, model, fuzz-smoke tests" run_tests asan -L '^(unit|model|fuzz-smoke)$'

if [ "$full" = yes ]; then
  mapfile -t tsan_targets < <(targets_of tsan unit)
  step "tsan: build" build tsan "${tsan_targets[@]}"
  step "tsan: unit tests" run_tests tsan -L '^unit$'
fi

# dev comes last, so that the output ends with ctest's summary of all tests.
step "dev: build" build dev
printf '\nTime so far:\n'
printf '%s\n' "${times[@]}"
printf '\n== dev: tests\n'
if [ "$full" = yes ]; then
  run_tests dev
else
  run_tests dev -LE '^(full|stress)$'
fi
