// One connection of a load run: sends its stream and compares every byte that comes back.
//
//   state        waits for  a turn does                       next state
//   -----------  ---------  --------------------------------  -----------------------------------
//   closed       -          nothing                           opening      open(), reopen(); mode
//                                                                          connect: next message
//   opening      OUT        gets the result (SO_ERROR)        open         connected
//                                                             closed       failed or timed out
//   open         IN, OUT    reads, compares, begins messages, half_closed  FIN sent
//                           sends                             diagnosing   wrong byte
//                                                             closed       end of file, error,
//                                                                          timeout
//   half_closed  IN         reads and compares to the end of  diagnosing   wrong or surplus byte
//                           file                              closed       end of file, error,
//                                                                          timeout
//   diagnosing   IN         keeps the bytes from the wrong    closed       fault named
//                           one on
//
// A connection sends its FIN when it is stopping and everything has come back. In mode connect it
// sends its FIN right after the message. It then waits for the server's FIN, so that surplus bytes
// and a server that does not close are detected. An end of file is an error if bytes are missing
// (LoadError::truncated) or if no FIN was sent (LoadError::closed_early).
//
// A connection that fails is lost. The worker reconnects it: at once if it had echoed, otherwise at
// the next sweep. It has recovered when its first echo arrives, or, if it sends no messages, when
// it is open. Until then only mismatches (tally.hpp) count as further errors. In connect mode each
// message makes a new connection, so no connection is ever lost.
//
// A UNIX socket connects at once or not at all. While the server's accept queue is full, the state
// is `opening` without a socket, and check_timeouts() tries again. The kernel gives no time stamps
// for its bytes: they arrive when they are read.
//
// The socket is registered once, edge-triggered, for all events, and the registration never
// changes: the kernel raises OUT only after a send that did not fit.
//
// Thread-safety: used only by its worker's thread. Never blocks. Running out of memory ends the
// process (client/main.cpp), so functions that allocate may be noexcept.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "client/load/load_context.hpp"
#include "client/load/load_peer.hpp"
#include "client/load/message_times.hpp"
#include "client/load/messages.hpp"
#include "client/stream/keyed_stream.hpp"
#include "client/sys/client_socket.hpp"
#include "sys/clock.hpp"
#include "sys/unique_fd.hpp"

namespace echod::client {

class LoadConnection final : public LoadPeer {
 public:
  // `number` counts the connections of the run, `slot` those of this worker. The connection sends
  // messages if `slot` is below context.active; otherwise it only stays open.
  LoadConnection(LoadContext& context, std::uint32_t number, std::uint32_t slot);
  ~LoadConnection() override;
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  void open() noexcept override;
  void start() noexcept override;
  void message_due(sys::TimePoint due) noexcept override;
  // Half-closes as soon as every message due or begun is answered, or closes if it is opening and
  // no message is.
  void stop() noexcept override;
  void give_up_unbegun() noexcept override;
  // Finishes a diagnosis, fails if messages are outstanding, or closes if it is opening or
  // half-closed.
  void abandon() noexcept override;
  // Reconnects if lost and closed.
  void reopen() noexcept override;
  // Fails if it has waited too long. Reconnects if lost. In mode connect, begins the next message
  // if the last one failed.
  void check_timeouts() noexcept override;

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  enum class State : std::uint8_t { closed, opening, open, half_closed, diagnosing };
  void enter(State state) noexcept;

  [[nodiscard]] bool is_connect_mode() const noexcept {
    return context_.plan.mode == LoadMode::connect;
  }
  [[nodiscard]] sys::ConnectResult open_socket() const noexcept;
  void connect() noexcept;
  void on_opened(sys::TimePoint moment) noexcept;
  // Begins messages, sends, and half-closes if everything is done.
  void begin_and_send() noexcept;
  void begin_messages() noexcept;
  [[nodiscard]] bool may_begin() const noexcept;
  void begin_message() noexcept;
  void send_unsent() noexcept;
  void half_close_if_done() noexcept;
  void half_close() noexcept;
  void read() noexcept;
  [[nodiscard]] bool measures_arrivals() const noexcept;
  [[nodiscard]] sys::StampedRead receive(std::span<std::byte> into) const noexcept;
  void handle_received(std::span<const std::byte> bytes, const sys::StampedRead& read) noexcept;
  void record_first_byte(sys::TimePoint moment) noexcept;
  void record_answers(const sys::StampedRead& read) noexcept;
  // Bytes that have not come back.
  [[nodiscard]] std::uint64_t missing_bytes() const noexcept {
    return messages_.owed_bytes() + messages_.unsent_bytes();
  }
  void record_service(std::uint64_t message, sys::TimePoint until) noexcept;
  void record_latency(std::uint64_t message, sys::TimePoint until) noexcept;
  void record_failure(std::uint64_t message) noexcept;
  void on_end_of_file() noexcept;
  void keep_evidence(std::span<const std::byte> bytes) noexcept;
  void finish_diagnosis() noexcept;
  void on_timeout() noexcept;
  // Counts the error and closes by reset. fail() puts the connection's number before `what`;
  // `detail` is a complete line.
  void fail(LoadError error, const std::string& what) noexcept;
  void fail_with_detail(LoadError error, const std::string& detail) noexcept;
  void fail_to_open(int error) noexcept;
  void close() noexcept;
  void record_tcp_figures() noexcept;
  void record_loss() noexcept;
  void record_recovery(sys::TimePoint moment) noexcept;
  [[nodiscard]] bool is_lost() const noexcept { return lost_at_ != sys::TimePoint(); }
  [[nodiscard]] bool has_unbegun() const noexcept { return messages_.begun() < times_.due_count(); }
  [[nodiscard]] bool should_be_open() const noexcept {
    return !context_.is_stopping || has_unbegun();
  }
  [[nodiscard]] bool has_waited(std::chrono::nanoseconds time) const noexcept;
  [[nodiscard]] KeyedStream stream() const noexcept {
    return KeyedStream(number_, context_.plan.seed);
  }

  LoadContext& context_;
  std::uint32_t number_;
  std::uint32_t slot_;
  sys::UniqueFd fd_;
  State state_ = State::closed;
  bool is_started_ = false;
  bool is_readable_ = false;         // More may be readable without a new event.
  bool is_writable_ = false;         // The last send was complete.
  bool reads_until_eagain_ = false;  // PRI, RDHUP, HUP or ERR was seen.
  bool has_received_ = false;        // Mode connect: at least one byte since it was opened.
  bool has_echoed_ = false;          // At least one message since it was opened.
  Messages messages_;
  MessageTimes times_;
  // When it last started to connect or to await bytes, sent its FIN, or received bytes. Not updated
  // while diagnosing.
  sys::TimePoint last_progress_{};
  sys::TimePoint lost_at_{};                          // When it was lost; 0 if it is not lost.
  std::unique_ptr<std::vector<std::byte>> evidence_;  // From the first wrong byte on.
};

}  // namespace echod::client
