// A file that a result goes to, or standard output.
//
//   the name is of                      it is written
//   ----------------------------------  ---------------------------------------------------------
//   "-", or what standard output is     to standard output
//   no file, or a regular one           as FILE.PID.tmp beside it, which then takes its place
//   another, such as a FIFO             in place; it is opened once, at the start, and a FIFO then
//                                       waits for its reader
//
// So a reader never sees half a result, and a run that is killed leaves the file as it was. A
// regular file is written in place too if its directory takes no other.
//
// Thread-safety: none.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "unique_fd.hpp"

namespace echod::client {

class Output {
 public:
  // Tries at once whether the file can be written, so that a bad name costs no run, but leaves what
  // is in it. Throws FatalError.
  explicit Output(const std::string& name);

  [[nodiscard]] bool is_standard_output() const noexcept { return is_standard_output_; }
  // Whether write() may have to wait for a reader.
  [[nodiscard]] bool may_wait() const noexcept { return !is_replaced_; }
  // Throws FatalError: what could not be written must not look like success.
  void write(const std::string& text) const;

 private:
  // Both return errno, or 0.
  [[nodiscard]] int replace(const std::string& text) const;
  [[nodiscard]] int write_in_place(const std::string& text) const;

  std::string name_;
  std::string temporary_;  // The other name.
  bool is_standard_output_;
  bool is_replaced_ = false;
  sys::UniqueFd fd_;  // The file itself, if there was one.
};

struct Writing {
  bool may_wait;                // Maybe for a reader.
  std::function<void()> write;  // May throw FatalError.
};

// Writes everything that can be written: first the outputs that never wait for a reader. Throws a
// FatalError that names what could not be written.
void write_all(std::vector<Writing> writings);

// Throws FatalError.
void write_to_stdout(const std::string& text);

// "-", /dev/stdout, and the file that a shell made standard output.
[[nodiscard]] bool is_name_of_standard_output(const std::string& name);
// Opens a file to write, with these flags beside. Throws FatalError.
[[nodiscard]] sys::UniqueFd open_output(const std::string& name, int flags);
// Throws a FatalError that names the file if `error`, an errno, is not 0.
void require_written(int error, const std::string& name);

}  // namespace echod::client
