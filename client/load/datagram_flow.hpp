// One UDP socket of a load run: sends datagrams and compares every datagram that comes back.
//
//   state      a turn does                          next state
//   ---------  -----------------------------------  ------------------------------------------
//   closed     nothing                              open       open()
//   open       reads, compares, sends               lingering  stopping, all answered or given up
//                                                   closed     abandoned
//   lingering  reads and compares                   closed     after kLingerTime
//
// Closed loop: at most plan.depth datagrams are outstanding, and plan.burst are sent at once. Open
// loop: each is sent when it is due. A datagram whose answer has not arrived after plan.timeout is
// lost; the kernel's time stamp decides, not when the answer is read. A datagram that cannot be
// sent is an error: a closed loop sends it later, an open loop counts it as not sent. While it
// lingers, surplus answers are still noticed.
//
// Wrong answers are errors (tally.hpp): `corrupted`; `crossed`, a datagram of another socket of the
// run; `unsolicited`, one that was not sent, or that comes from another address than the server's.
// What a network may do is counted and is no error (DatagramCounts).
//
// Thread-safety: used only by its worker's thread. Never blocks. Running out of memory ends the
// process (client/main.cpp), so functions that allocate may be noexcept.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "client/datagram/datagram_format.hpp"
#include "client/datagram/datagram_window.hpp"
#include "client/load/load_context.hpp"
#include "client/load/load_peer.hpp"
#include "client/sys/client_socket.hpp"
#include "client/sys/datagram_socket.hpp"

namespace echod::client {

class DatagramFlow final : public LoadPeer {
 public:
  static constexpr std::chrono::milliseconds kLingerTime{200};

  // `number` counts the sockets of the run, `slot` those of this worker. It sends datagrams if
  // `slot` is below context.active.
  DatagramFlow(LoadContext& context, std::uint32_t number, std::uint32_t slot);
  ~DatagramFlow() override;
  DatagramFlow(const DatagramFlow&) = delete;
  DatagramFlow& operator=(const DatagramFlow&) = delete;

  void open() noexcept override;
  void start() noexcept override;
  void message_due(sys::TimePoint due) noexcept override;
  void stop() noexcept override;
  void give_up_unbegun() noexcept override;
  void abandon() noexcept override;
  // No-op: a socket is never lost.
  void reopen() noexcept override {}
  void check_timeouts() noexcept override;
  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  enum class State : std::uint8_t { closed, open, lingering };

  // Gives turns for what other addresses send.
  class StrayWatch final : public Channel {
   public:
    explicit StrayWatch(DatagramFlow& flow) noexcept : flow_(flow) {}
    Turn on_turn(std::uint32_t /*events*/) noexcept override { return flow_.read_strays(); }

   private:
    DatagramFlow& flow_;
  };

  void fail_to_open(int error) noexcept;
  void close() noexcept;

  void send_datagrams() noexcept;
  // How many datagrams to send next, 0 if none.
  [[nodiscard]] std::uint32_t next_count() const noexcept;
  // Sends `count` datagrams. Returns false if none could be sent.
  [[nodiscard]] bool send(std::uint32_t count) noexcept;
  [[nodiscard]] bool send_train(std::uint32_t count) noexcept;
  [[nodiscard]] bool send_one() noexcept;
  [[nodiscard]] sys::IoResult transmit(std::span<const std::byte> bytes) noexcept;
  void record_sent(sys::TimePoint begun, std::size_t bytes) noexcept;
  [[nodiscard]] std::size_t size_of(std::uint64_t number) const noexcept;

  void read() noexcept;
  [[nodiscard]] Turn read_strays() noexcept;
  void handle_datagrams(std::span<const std::byte> bytes, const sys::StampedRead& read) noexcept;
  void handle_datagram(std::span<const std::byte> bytes, const sys::StampedRead& read) noexcept;
  void handle_own(std::uint64_t number, std::span<const std::byte> bytes,
                  const sys::StampedRead& read) noexcept;
  void record_answer(const DatagramTimes& times, const sys::StampedRead& read) noexcept;
  void record_failure(sys::TimePoint start) noexcept;
  void record_lost(const DatagramTimes& times) noexcept;
  void give_up_lost() noexcept;
  // Open loop: the datagram that was due at `due` is not sent.
  void give_up_due(sys::TimePoint due) noexcept;
  void linger_if_done() noexcept;
  void count_network_error(const char* call, int error) noexcept;
  void count_error(LoadError error, const std::string& what) noexcept;

  LoadContext& context_;
  std::uint32_t number_;
  std::uint32_t slot_;
  DatagramFormat format_;
  DatagramWindow window_;
  sys::ClientDatagramSocket socket_;
  StrayWatch stray_watch_{*this};
  State state_ = State::closed;
  bool is_started_ = false;
  bool is_readable_ = false;
  bool is_writable_ = false;
  bool sends_trains_ = false;
  sys::TimePoint lingers_until_{};
  sys::TimePoint last_arrival_{};   // Of what was read last.
  std::deque<sys::TimePoint> due_;  // Open loop: when the datagrams that were not sent were due.
};

}  // namespace echod::client
