// A UDP socket of a check. Each function is one step of the check and verifies the datagrams that
// come back meanwhile: each must equal a datagram that was sent, come once, and come from the
// server's address and port.
//
// Owns the sockets, and keeps what it sent. Thread-safety: none.
//
// Blocks while datagrams come back, and up to plan.timeout after the last one. If the server does
// something wrong, throws a CheckFailure that says what, and a CannotConnect if no server is there.
// If this host lacks resources, throws std::system_error.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/check/check_context.hpp"
#include "client/check/check_peer.hpp"
#include "client/datagram/datagram_format.hpp"
#include "client/sys/datagram_socket.hpp"

namespace echod::client {

class DatagramPeer {
 public:
  // The local port needs a privilege.
  class PortRefused : public CheckFailure {
   public:
    using CheckFailure::CheckFailure;
  };
  // A system call failed with an error of the network other than ECONNREFUSED.
  class NetworkFailure : public CheckFailure {
   public:
    using CheckFailure::CheckFailure;
  };

  // With `local_port` 0 the kernel chooses a free port. Throws PortRefused.
  explicit DatagramPeer(CheckContext& context, std::uint16_t local_port = 0);

  // Sends the next datagram.
  void send(std::size_t bytes);
  void send_text(std::string_view text);
  // Sends `count` datagrams of `bytes` each at once, or one by one if the kernel cannot do this.
  // Returns whether they were sent at once.
  [[nodiscard]] bool send_train(std::size_t count, std::size_t bytes);

  // Waits until everything that was sent has come back. Fails after plan.timeout without an answer.
  void await_all_echoes();
  // Waits until everything has come back, or until nothing has come for `patience`. Returns how
  // many datagrams are missing.
  [[nodiscard]] std::size_t await_echoes(std::chrono::nanoseconds patience);
  // Fails if another datagram comes within 200 ms.
  void expect_no_more() { expect_no_more_on({this, 1}); }
  // Like expect_no_more(), for many sockets at the same time.
  static void expect_no_more_on(std::span<DatagramPeer> peers);

  // How many answers came after the answer to a later datagram.
  [[nodiscard]] std::size_t reordered() const { return reordered_; }
  // How many answers this host dropped because the receive buffer was full.
  [[nodiscard]] std::uint32_t dropped_here() const { return socket_.dropped(); }

 private:
  struct Sent {
    std::vector<std::byte> bytes;
    bool is_answered = false;
  };

  [[nodiscard]] std::size_t missing() const { return sent_.size() - answered_; }
  std::span<const std::byte> add_datagram(std::size_t bytes);
  void transmit(std::span<const std::byte> bytes);
  // Waits for a datagram and verifies it. Returns false if none came before `end`.
  bool receive_until(sys::TimePoint end);
  void receive_answer();
  void receive_stray();
  void handle_answer(std::span<const std::byte> bytes);
  [[nodiscard]] std::string fault_text(std::span<const std::byte> bytes) const;
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void fail_with_error(int error) const;
  // "socket 3".
  [[nodiscard]] std::string name() const;
  void trace(const std::string& event, std::span<const std::byte> bytes) const;

  CheckContext& context_;
  std::uint32_t number_;
  DatagramFormat format_;
  sys::ClientDatagramSocket socket_;
  std::vector<Sent> sent_;
  std::size_t answered_ = 0;
  std::size_t latest_ = 0;  // The highest number of an answered datagram.
  std::size_t reordered_ = 0;
};

}  // namespace echod::client
