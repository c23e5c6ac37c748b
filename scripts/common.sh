# shellcheck shell=bash
# Functions for several scripts, which source this file.

print_help() { sed -n '2,${/^#/!q;s/^# \{0,1\}//p}' "$0"; }

# help_if_asked PROGRAM "$@": if --help or -h is among the arguments, prints the comment at the head of the script and,
# if Python is installed, the options of PROGRAM (which may be ""), and exits. Must be called before the script
# installs, builds or changes anything, including the current directory.
help_if_asked() {
  local program=$1 argument
  shift
  for argument in "$@"; do
    [[ $argument == --help || $argument == -h ]] || continue
    print_help
    if [[ -n $program ]] && command -v python3 >/dev/null; then
      echo
      python3 -B "$(dirname "${BASH_SOURCE[0]}")/../$program" --help | sed -n '/^positional arguments:$\|^options:$/,$p'
    fi
    exit 0
  done
}

# run_tests PRESET [CTEST-OPTION...]: runs ctest, then prints why tests were skipped or failed.
run_tests() {
  local preset=$1 results=build/$1/tests.xml status=0
  shift
  rm -f "$results"
  ctest --preset "$preset" --parallel 8 --output-junit tests.xml "$@" || status=$?
  [[ ! -e $results ]] || python3 -B tests/support/test_results.py "$results"
  return "$status"
}
