// In the build that measures coverage (ECHOD_COVERAGE): a process that ends without what atexit(3)
// registered writes its counts all the same. Linked in place of these functions by ld's --wrap.
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
