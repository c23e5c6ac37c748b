// A file that a result goes to, or standard output.
// Thread-safety: none.
#pragma once

#include <string>

namespace echod::client {

class Output {
 public:
  // "-" is standard output. Tries at once whether the file can be written, so that a bad name
  // costs no run, but leaves what is in it. Throws Stop.
  explicit Output(const std::string& name);

  [[nodiscard]] bool is_standard_output() const { return name_ == "-"; }
  // Throws Stop: what could not be written must not look like success.
  void write(const std::string& text);

 private:
  std::string name_;
};

// Throws Stop.
void write_to_stdout(const std::string& text);

}  // namespace echod::client
