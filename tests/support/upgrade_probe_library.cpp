// The shared library of upgrade_probe, which the tests remove and replace.
int probe_library();

int probe_library() {
  return 0;
}
