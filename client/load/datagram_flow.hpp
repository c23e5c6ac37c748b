// One UDP socket of a load run: sends datagrams and compares every datagram that comes back.
//
//   state      a turn does                          next state
//   ---------  -----------------------------------  ------------------------------------------
//   closed     nothing                              open       open()
//   open       reads, compares, sends               lingering  stopping, all answered or given up
//                                                   closed     abandoned
//   lingering  reads and compares                   closed     after kLingerTime
//
// DatagramMessages decides what is sent and what an answer means. In a closed loop at most
// plan.depth datagrams are outstanding, and plan.burst are sent at once. In an open loop each is
// sent when it is due. A datagram whose answer has not arrived after plan.timeout is lost: the
// kernel's time stamp decides, not when the answer is read. A datagram that cannot be sent is an
// error: a closed loop sends it later, an open loop counts it as not sent. A lingering socket still
// notices surplus answers. What comes from another address than the server's is an error
// (LoadError::unsolicited).
//
// Thread-safety: used only by its worker's thread. Never blocks. Running out of memory ends the
// process (client/main.cpp), so functions that allocate may be noexcept.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "client/load/datagram_messages.hpp"
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

  // Reads the datagrams that do not come from the server's address.
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
  // Sends `count` datagrams. Returns false if none could be sent.
  [[nodiscard]] bool send(std::uint32_t count) noexcept;
  [[nodiscard]] bool send_train(std::uint32_t count) noexcept;
  [[nodiscard]] bool send_one() noexcept;
  [[nodiscard]] int transmit(std::uint32_t count) noexcept;

  void read() noexcept;
  [[nodiscard]] Turn read_strays() noexcept;
  void handle_datagrams(std::span<const std::byte> bytes, const sys::StampedRead& read) noexcept;
  void handle_datagram(std::span<const std::byte> bytes, const sys::StampedRead& read) noexcept;
  void give_up_lost() noexcept;
  void linger_if_done() noexcept;
  void count_network_error(const char* call, int error) noexcept;
  void count_error(LoadError error, const std::string& what) noexcept;

  LoadContext& context_;
  std::uint32_t number_;
  DatagramMessages messages_;
  sys::ClientDatagramSocket socket_;
  StrayWatch stray_watch_{*this};
  State state_ = State::closed;
  bool is_readable_ = false;
  bool is_writable_ = false;
  bool sends_trains_ = false;
  sys::TimePoint lingers_until_{};
  sys::TimePoint last_arrival_{};  // Arrival time of the newest datagram that was read.
};

}  // namespace echod::client
