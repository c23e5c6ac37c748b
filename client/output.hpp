// A file that a result goes to, or standard output.
// Thread-safety: none.
#pragma once

#include <fstream>
#include <string>

namespace echod::client {

class Output {
 public:
  // "-" is standard output. Opens a file at once, so that a bad name costs no run. Throws Stop.
  explicit Output(const std::string& name);

  [[nodiscard]] bool is_standard_output() const { return name_ == "-"; }
  // Throws Stop: what could not be written must not look like success.
  void write(const std::string& text);

 private:
  void require() const;

  std::string name_;
  std::ofstream file_;
};

// Throws Stop.
void write_to_stdout(const std::string& text);

}  // namespace echod::client
