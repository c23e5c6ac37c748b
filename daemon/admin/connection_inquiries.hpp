// Asks all workers to list or to close connections, and collects their answers.
//
// One inquiry is in progress at a time; at most kMostWaiting others wait in a queue. A worker that
// is stuck, or has not answered within kTimeout, is in silent_workers: its part is missing from the
// result, and it stops carrying out the inquiry.
//
// Thread-safety: belongs to the admin thread. Never blocks: the workers go through their
// connections in slices.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "admin/connection_query.hpp"
#include "admin/service_access.hpp"
#include "echo/connection_facts.hpp"
#include "echo/workers.hpp"
#include "loop/channel.hpp"
#include "loop/event_loop.hpp"
#include "loop/timer.hpp"
#include "sys/event_fd.hpp"

namespace echod {

struct ConnectionList {
  std::uint64_t total = 0;                   // Connections that match.
  std::vector<ConnectionFacts> connections;  // The requested part of the list, sorted.
  std::vector<std::size_t> silent_workers;   // Their connections are missing.
};

struct ClosedConnections {
  std::uint64_t closed = 0;
  std::vector<std::size_t> silent_workers;  // They may have closed some of theirs.
};

class ConnectionInquiries {
 public:
  static constexpr std::chrono::seconds kTimeout{2};
  static constexpr std::size_t kMostWaiting = 8;

  // The references must outlive it. Throws std::system_error, std::bad_alloc.
  ConnectionInquiries(EventLoop& loop, Workers& workers, const ServiceAccess& service);
  ~ConnectionInquiries();
  ConnectionInquiries(const ConnectionInquiries&) = delete;
  ConnectionInquiries& operator=(const ConnectionInquiries&) = delete;

  // Return false, and do nothing, if too many inquiries wait. Otherwise one of the callbacks runs
  // in the loop's thread, later. If the first one throws std::bad_alloc, the second one is called.
  // The functions throw std::bad_alloc.
  [[nodiscard]] bool list(const ConnectionQuery& query,
                          std::function<void(ConnectionList)> on_listed,
                          std::function<void()> on_no_memory);
  [[nodiscard]] bool close(const ConnectionFilter& filter,
                           std::function<void(ClosedConnections)> on_closed,
                           std::function<void()> on_no_memory);

 private:
  class Part;
  class ListPart;
  class ClosePart;

  struct Inquiry {
    std::vector<std::shared_ptr<Part>> parts;  // By worker; nullptr for one that is not asked.
    std::function<void(std::vector<std::size_t> silent_workers)> on_end;
    std::function<void()> on_no_memory;
  };

  // The workers signal here when they have answered.
  class Answers final : public Channel {
   public:
    explicit Answers(ConnectionInquiries& inquiries) noexcept : inquiries_(inquiries) {}
    Turn on_turn(std::uint32_t events) noexcept override;

   private:
    ConnectionInquiries& inquiries_;
  };

  template <typename SomePart, typename Argument>
  [[nodiscard]] std::vector<std::shared_ptr<SomePart>> parts_for(const ConnectionFilter& filter,
                                                                 const Argument& argument) const;
  [[nodiscard]] bool ask(Inquiry inquiry);
  void start_next() noexcept;
  [[nodiscard]] bool is_awaited(std::size_t worker) const noexcept;
  void check_answers() noexcept;
  void end() noexcept;
  [[nodiscard]] std::vector<std::size_t> conclude_parts();

  EventLoop& loop_;
  Workers& workers_;
  const ServiceAccess& service_;
  // Shared with the workers, which may signal after this object is gone.
  std::shared_ptr<sys::EventFd> answered_;
  Answers answers_{*this};
  Timer timeout_;
  std::deque<Inquiry> inquiries_;  // The first one is in progress.
};

}  // namespace echod
