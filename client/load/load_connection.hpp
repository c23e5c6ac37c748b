// One connection of a load run: sends its stream and compares every byte that comes back.
//
//   state       waits for  a turn does                       next state
//   ----------  ---------  --------------------------------  -----------------------------------
//   closed      -          nothing                           opening     open(), reopen()
//   opening     OUT        gets the result (SO_ERROR)        open        connected
//                                                            closed      failed or timed out
//   open        IN, OUT    reads, compares, begins messages, ending      stopping, all bytes back
//                          sends                             diagnosing  wrong byte
//                                                            closed      end of file, error,
//                                                                        timeout
//   ending      IN         reads to the end of file          diagnosing  surplus byte
//                                                            closed      end of file, error,
//                                                                        timeout
//   diagnosing  IN         keeps the bytes from the wrong    closed      fault named
//                          one on
//
// A connection enters `ending` by sending its FIN. It then waits for the server's FIN, so that
// surplus bytes and a server that does not close are detected.
//
// A connection that fails is lost. The worker reconnects it: at once if it had echoed, otherwise at
// the next sweep. It has recovered when its first echo arrives, or, if it sends no messages, when
// it is open. Until then only mismatches (tally.hpp) count as further errors. In connect mode each
// message makes a new connection, so no connection is ever lost.
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
#include "client/load/messages.hpp"
#include "client/stream/keyed_stream.hpp"
#include "client/sys/client_socket.hpp"
#include "loop/channel.hpp"
#include "sys/clock.hpp"
#include "sys/unique_fd.hpp"

namespace echod::client {

class LoadConnection final : public Channel {
 public:
  // `number` counts the connections of the run, `slot` those of this worker. The connection sends
  // messages if `slot` is below context.active; otherwise it only stays open.
  LoadConnection(LoadContext& context, std::uint32_t number, std::uint32_t slot);
  ~LoadConnection() override;
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  // Starts to connect. Must be called only while closed.
  void open() noexcept;
  // Starts to send messages: as many as the depth allows, and in an open loop only those due.
  void start() noexcept;
  // Open loop: one more message was due at `due`.
  void message_due(sys::TimePoint due) noexcept;
  // Half-closes as soon as every message due or begun is answered. context.is_stopping must be set.
  void stop() noexcept;
  // Drops the messages that are due and not begun, and counts them as not sent.
  void give_up_unbegun() noexcept;
  // Stops waiting: finishes a diagnosis, fails if messages are outstanding, or closes if it is
  // opening or ending.
  void abandon() noexcept;
  // Reconnects if lost and closed. No-op if the run no longer needs the connection.
  void reopen() noexcept;
  // Fails if it has waited too long; reconnects if lost. Must be called a few times a second.
  void check_timeouts() noexcept;

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  enum class State : std::uint8_t { closed, opening, open, ending, diagnosing };
  void enter(State state) noexcept;

  [[nodiscard]] bool is_connect_mode() const noexcept {
    return context_.plan.mode == LoadMode::connect;
  }
  void on_opened(sys::TimePoint moment) noexcept;
  // Begins messages, sends, and half-closes if everything is done.
  void begin_and_send() noexcept;
  void begin_messages() noexcept;
  [[nodiscard]] bool may_begin() const noexcept;
  void begin_message() noexcept;
  void send_unsent() noexcept;
  void half_close_if_done() noexcept;
  void read() noexcept;
  [[nodiscard]] bool measures_arrivals() const noexcept;
  [[nodiscard]] sys::StampedRead receive(std::span<std::byte> into) const noexcept;
  void handle_received(std::span<const std::byte> bytes, const sys::StampedRead& read) noexcept;
  void record_first_byte(sys::TimePoint moment) noexcept;
  void record_answers(const sys::StampedRead& read) noexcept;
  void grow_due_times() noexcept;
  // When `message` was due. It must be due and not yet answered.
  [[nodiscard]] sys::TimePoint& due_at(std::uint64_t message) noexcept {
    return due_at_[message & (due_at_.size() - 1)];
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
  [[nodiscard]] bool has_unbegun() const noexcept {
    return context_.is_open_loop() && messages_.begun() < due_count_;
  }
  [[nodiscard]] bool should_be_open() const noexcept {
    return !context_.is_stopping || has_unbegun();
  }
  [[nodiscard]] sys::TimePoint started_at(std::uint64_t message) noexcept;
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
  bool is_readable_ = false;   // More may be readable without a new event.
  bool is_writable_ = false;   // The last send was complete.
  bool reads_to_end_ = false;  // PRI, RDHUP, HUP or ERR was seen: read until EAGAIN.
  bool has_received_ = false;  // At least one byte since it was opened.
  bool has_echoed_ = false;    // At least one message since it was opened.
  Messages messages_;
  std::uint64_t due_count_ = 0;  // Messages due so far; open loop only.
  // When it last started to connect, to await bytes or to end, or received bytes. Not updated while
  // diagnosing.
  sys::TimePoint last_progress_{};
  sys::TimePoint lost_at_{};              // When it was lost; 0 if it is not lost.
  std::vector<sys::TimePoint> begun_at_;  // Start of each outstanding message, at number mod depth.
  // Open loop: when each unanswered message was due, at number mod size. The size is a power of
  // two.
  std::vector<sys::TimePoint> due_at_;
  std::unique_ptr<std::vector<std::byte>> evidence_;  // From the first wrong byte on.
};

}  // namespace echod::client
