// For the coverage build (ECHOD_COVERAGE): writes the counts of a process that ends without running
// its atexit(3) handlers. ld's --wrap links these functions in place of the originals.
extern "C" {

void __gcov_dump();
[[noreturn]] void __real_abort();
[[noreturn]] void __real__exit(int code);
[[noreturn]] void __real__Exit(int code);

[[noreturn]] void __wrap_abort() {
  __gcov_dump();
  __real_abort();
}

[[noreturn]] void __wrap__exit(int code) {
  __gcov_dump();
  __real__exit(code);
}

[[noreturn]] void __wrap__Exit(int code) {
  __gcov_dump();
  __real__Exit(code);
}

}  // extern "C"
