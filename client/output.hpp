// Writes a result to a file or to standard output.
//
//   name                                  how it is written
//   ------------------------------------  ---------------------------------------------------------
//   "-", or the file of standard output   to standard output
//   no file yet, or a regular file        as FILE.PID.tmp in the same directory, then renamed; if
//                                         the name is a symbolic link, FILE is its target
//   anything else, such as a FIFO         in place; opened at the start, which blocks until a FIFO
//                                         has a reader
//
// Readers of a renamed file never see half a result, and a run that is killed leaves the old file
// unchanged. Some regular files cannot be replaced and are written in place: those in a directory
// that is not writable, mount points, and names of descriptors, such as /dev/fd/3.
//
// Owns the descriptor. Thread-safety: none. May block while a reader is slow.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sys/unique_fd.hpp"

namespace echod::client {

class Output {
 public:
  // Checks that the file can be written, so that a wrong name is found before the run. Does not
  // change its content. Throws FatalError.
  explicit Output(const std::string& name);

  // Whether write() may block until a reader reads.
  [[nodiscard]] bool may_wait() const noexcept { return !is_replaced_; }
  // Throws FatalError if the text could not be written completely.
  void write(const std::string& text) const;

 private:
  // Both return 0 or an errno.
  [[nodiscard]] int replace(const std::string& text) const;
  [[nodiscard]] int write_in_place(const std::string& text) const;

  std::string name_;       // As given, for messages.
  std::string file_;       // The file that is replaced.
  std::string temporary_;  // FILE.PID.tmp
  bool is_standard_output_;
  bool is_replaced_ = false;
  sys::UniqueFd fd_;  // The existing file, if any.
};

struct PendingWrite {
  bool may_wait;                // Whether write() may block until a reader reads.
  std::function<void()> write;  // May throw FatalError.
};

// Writes all outputs, first the outputs that never wait for a reader. If some cannot be written,
// writes the others and throws a FatalError that names the failed ones.
void write_all(std::vector<PendingWrite> writes);

// Throws FatalError.
void write_to_stdout(const std::string& text);

// True for "-", /dev/stdout, and the file that standard output is redirected to.
[[nodiscard]] bool is_name_of_standard_output(const std::string& name);
// The regular file that `name` stands for, or the file that can be created there, with symbolic
// links followed. Empty if `name` is something else, such as a FIFO or a descriptor.
[[nodiscard]] std::optional<std::string> regular_file(const std::string& name);
// Opens a file for writing, with `flags` added. Throws FatalError.
[[nodiscard]] sys::UniqueFd open_output(const std::string& name, int flags);
// Throws a FatalError that names the file if `error` (an errno) is not 0.
void require_written(int error, const std::string& name);

}  // namespace echod::client
