// One connection of a check, moved step by step. Each step waits for as long as the server makes
// progress, and at most the plan's timeout without any; what came back is compared on the way. A
// server that does something wrong ends the check with a CheckFailure that says what. What this
// host lacks, such as descriptors, ends it with a std::system_error.
//
//   received <= sent <= planned, all of them offsets in the payload
//
// Thread-safety: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "check_context.hpp"
#include "clock.hpp"
#include "io_result.hpp"
#include "payload.hpp"
#include "unique_fd.hpp"

namespace echod::client {

class CheckFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class CannotConnect : public CheckFailure {
 public:
  using CheckFailure::CheckFailure;
};

struct PeerOptions {
  std::optional<std::string> text = std::nullopt;  // What it sends, instead of a stream.
  // The kernels hold some 70 KiB on the way back, not megabytes.
  bool has_small_buffers = false;
};

class CheckPeer {
 public:
  // A send that the server does not let through for so long is blocked.
  static constexpr std::chrono::milliseconds kBlockedTime{200};

  // Connects; throws CannotConnect.
  explicit CheckPeer(CheckContext& context, PeerOptions options = {});

  // Sends the next `bytes` without reading; false if the server and the kernels handle_received no
  // more for the time of `patience`. The next call but `half_close` and `reset` sends the rest.
  [[nodiscard]] bool send_unread(std::uint64_t bytes, sys::Duration patience = kBlockedTime);
  // Sends the next `bytes`, and takes what comes back meanwhile.
  void send(std::uint64_t bytes);
  // Sends what is left, and waits until all has come back.
  void await_all_echoes();
  // Sends the next `bytes`, and waits until all has come back.
  void exchange(std::uint64_t bytes);

  // Sends the next `bytes` and the FIN in one segment, as far as they fit into one.
  void send_with_fin(std::uint64_t bytes);
  // FIN: no more from us.
  void half_close();
  // Sends what is left, half-closes unless that is done, and waits until all has come back, then
  // the server's FIN.
  void expect_end();
  // Half-closes, and looks for a moment whether more comes than is owed; not whether the server
  // closes, which other checks are about. Only when all is back.
  void expect_no_more() { expect_no_more_on({this, 1}); }
  // The same for many at a time, all of which get that moment.
  static void expect_no_more_on(std::span<CheckPeer> peers);
  // RST, now.
  void reset();

  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] bool is_half_closed() const { return is_half_closed_; }
  // Whether the server's host has acknowledged our FIN, and so all that was sent before it.
  [[nodiscard]] bool has_fin_arrived() const;

 private:
  using SendCall = sys::IoResult (*)(int fd, std::span<const std::byte> bytes) noexcept;

  void connect(bool has_small_buffers);
  // What is ready of `events`; throws if nothing is for the timeout.
  [[nodiscard]] short wait(short events) const;
  [[nodiscard]] bool is_ready(short events, sys::Duration patience) const;
  void pump(bool until_all_is_back);

  // Hands over what is planned; false if the kernel takes nothing now.
  bool send_some(SendCall call);
  // Takes what has arrived; false if nothing has, or if it is the end.
  bool receive_some();
  void handle_received(std::span<const std::byte> bytes);
  [[noreturn]] void fail_to_send(int error);
  [[noreturn]] void fail_with_mismatch(std::span<const std::byte> wrong);
  [[noreturn]] void fail(const std::string& what) const;

  // Throws std::system_error if `error` says that this host lacks something.
  void throw_if_local_shortage(int error) const;

  // "connection 3".
  [[nodiscard]] std::string name() const;
  // "after 4096 of 65536 bytes".
  [[nodiscard]] std::string progress_text() const;
  void trace(const std::string& event, std::span<const std::byte> bytes = {}) const;

  CheckContext& context_;
  std::uint32_t number_;
  Payload payload_;
  sys::UniqueFd fd_;
  std::uint64_t planned_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  bool is_half_closed_ = false;
  bool has_ended_ = false;
};

}  // namespace echod::client
