// One connection of a check. Each function is one step of the check and verifies the bytes that
// arrive meanwhile.
//
//   received <= sent <= planned; all are offsets in the payload
//
// Owns the socket. Thread-safety: none.
//
// Blocks while the server makes progress, and up to plan.timeout without progress. If the server
// does something wrong, throws a CheckFailure that says what. If this host lacks resources, such as
// descriptors, throws std::system_error.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "client/check/check_context.hpp"
#include "client/check/payload.hpp"
#include "client/sys/client_socket.hpp"
#include "sys/clock.hpp"
#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

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
  std::optional<std::string> text = std::nullopt;  // Sent instead of a stream.
  // TCP: makes the kernels buffer about 70 KiB on the way back, instead of megabytes. A UNIX socket
  // buffers what the server's send buffer allows, by default about 200 KiB.
  bool has_small_buffers = false;
};

class CheckPeer {
 public:
  // A send counts as blocked after this time without progress.
  static constexpr std::chrono::milliseconds kBlockedTime{200};

  // Connects; throws CannotConnect.
  explicit CheckPeer(CheckContext& context, PeerOptions options = {});

  // Sends the next `bytes` without reading. Returns false if nothing could be sent for `patience`.
  // The rest is then sent by the next call of send_unread(), send(), exchange(), send_with_fin(),
  // await_all_echoes() or expect_end(). The other functions do not send it.
  [[nodiscard]] bool send_unread(std::uint64_t bytes, sys::Duration patience = kBlockedTime);
  // Sends the next `bytes`, and reads what comes back meanwhile.
  void send(std::uint64_t bytes);
  // Sends the rest of the planned bytes, and waits until all have come back.
  void await_all_echoes();
  // Sends the next `bytes`, and waits until all have come back.
  void exchange(std::uint64_t bytes);

  // Sends the next `bytes` and the FIN. The FIN travels with the last bytes.
  void send_with_fin(std::uint64_t bytes);
  // Sends the FIN. No-op if it was sent.
  void half_close();
  // Sends the rest of the planned bytes and the FIN, and waits until all bytes and the server's FIN
  // have come back.
  void expect_end();
  // Half-closes, and fails if surplus bytes arrive within 500 ms. Does not check whether the server
  // closes; other checks do. Must be called only when all bytes are back.
  void expect_no_more() { expect_no_more_on({this, 1}); }
  // Like expect_no_more(), for many connections at the same time.
  static void expect_no_more_on(std::span<CheckPeer> peers);
  // Closes with an RST.
  void reset();

  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] bool is_half_closed() const { return is_half_closed_; }
  // Whether the server's kernel has acknowledged our FIN, and so all bytes before it. UNIX socket:
  // whether the server has read all bytes before our FIN.
  [[nodiscard]] bool has_fin_arrived() const;

 private:
  using SendCall = sys::IoResult (*)(int fd, std::span<const std::byte> bytes) noexcept;

  void connect(bool has_small_buffers);
  [[nodiscard]] sys::ConnectResult open(bool has_small_buffers) const;
  // Waits for `events` and returns those that are ready. Throws after the timeout.
  [[nodiscard]] short wait(short events) const;
  [[nodiscard]] bool is_ready(short events, sys::Duration patience) const;
  void pump(bool until_all_is_back);

  // Sends planned bytes once. Returns false if the call would block.
  bool send_some(SendCall call);
  // Reads once. Returns false if the call would block, and at the end of file.
  bool receive_some();
  void handle_received(std::span<const std::byte> bytes);
  [[noreturn]] void fail_to_send(int error);
  [[noreturn]] void fail_with_mismatch(std::span<const std::byte> wrong);
  [[noreturn]] void fail(const std::string& what) const;

  // Throws std::system_error if `error` means that this host lacks resources.
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
