#include "admin/connection_inquiries.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <new>
#include <system_error>
#include <utility>

#include "echo/connection_inquiry.hpp"

namespace echod {

// The part of one worker. It belongs to the worker's thread until that has answered.
class ConnectionInquiries::Part : public ConnectionInquiry {
 public:
  explicit Part(std::shared_ptr<sys::EventFd> answered) noexcept : answered_(std::move(answered)) {}

  void visit(Connection& connection) noexcept final {
    if (!is_cancelled_.load(std::memory_order_relaxed)) {
      examine(connection);
    }
  }
  void end() noexcept final {
    has_answered_.store(true);
    answered_->signal();
  }

  [[nodiscard]] bool has_answered() const noexcept { return has_answered_.load(); }
  // The admin thread waits no longer. Decides once whether the worker has answered.
  void conclude() noexcept {
    counts_ = has_answered();
    is_cancelled_.store(true);
  }
  // Whether the answer counts. Valid after conclude().
  [[nodiscard]] bool counts() const noexcept { return counts_; }

 protected:
  virtual void examine(Connection& connection) noexcept = 0;

 private:
  std::shared_ptr<sys::EventFd> answered_;
  std::atomic<bool> has_answered_{false};
  std::atomic<bool> is_cancelled_{false};
  bool counts_ = false;  // Of the admin thread.
};

// Keeps the first connections in the order of the query, in a heap with the last of them on top.
// Allocates nothing in the worker's thread.
class ConnectionInquiries::ListPart final : public Part {
 public:
  ListPart(std::shared_ptr<sys::EventFd> answered, const ConnectionQuery& query)
      : Part(std::move(answered)), query_(query), most_(query.offset + query.limit) {
    first_.reserve(most_ + 1);
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] const std::vector<ConnectionFacts>& first() const noexcept { return first_; }

 private:
  void examine(Connection& connection) noexcept override {
    ConnectionFacts facts = connection.facts();
    if (!query_.filter.matches(facts)) {
      return;
    }
    ++total_;
    if (query_.order == ConnectionOrder::owed) {
      facts.owed_bytes = connection.owed_bytes();  // Asks the kernel: for others only if listed.
    }
    const auto before = [this](const ConnectionFacts& left, const ConnectionFacts& right) {
      return comes_before(left, right, query_.order);
    };
    if (first_.size() == most_ && !before(facts, first_.front())) {
      return;
    }
    if (query_.order != ConnectionOrder::owed) {
      facts.owed_bytes = connection.owed_bytes();
    }
    first_.push_back(facts);
    std::push_heap(first_.begin(), first_.end(), before);
    if (first_.size() > most_) {
      std::pop_heap(first_.begin(), first_.end(), before);
      first_.pop_back();
    }
  }

  const ConnectionQuery query_;
  const std::size_t most_;
  std::uint64_t total_ = 0;
  std::vector<ConnectionFacts> first_;
};

class ConnectionInquiries::ClosePart final : public Part {
 public:
  ClosePart(std::shared_ptr<sys::EventFd> answered, const ConnectionFilter& filter) noexcept
      : Part(std::move(answered)), filter_(filter) {}

  [[nodiscard]] std::uint64_t closed() const noexcept { return closed_; }

 private:
  void examine(Connection& connection) noexcept override {
    if (filter_.matches(connection.facts())) {
      connection.close_by_operator();
      ++closed_;
    }
  }

  const ConnectionFilter filter_;
  std::uint64_t closed_ = 0;
};

ConnectionInquiries::ConnectionInquiries(EventLoop& loop, Workers& workers,
                                         const ServiceAccess& service)
    : loop_(loop),
      workers_(workers),
      service_(service),
      answered_(std::make_shared<sys::EventFd>()),
      timeout_(loop.timers(), [this] { end(); }) {
  const sys::IoResult added = loop_.add(answers_, answered_->fd(), EPOLLIN);
  if (!added.ok()) {
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

ConnectionInquiries::~ConnectionInquiries() {
  loop_.remove(answers_);
}

Turn ConnectionInquiries::Answers::on_turn(std::uint32_t /*events*/) noexcept {
  inquiries_.answered_->clear();
  inquiries_.check_answers();
  return Turn::wait;
}

// One part for each worker that may have a connection that matches.
template <typename SomePart, typename Argument>
std::vector<std::shared_ptr<SomePart>> ConnectionInquiries::parts_for(
    const ConnectionFilter& filter, const Argument& argument) const {
  std::vector<std::shared_ptr<SomePart>> parts(workers_.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if ((!filter.worker || *filter.worker == i) && (!filter.id || filter.id->worker == i)) {
      parts[i] = std::make_shared<SomePart>(answered_, argument);
    }
  }
  return parts;
}

bool ConnectionInquiries::list(const ConnectionQuery& query,
                               std::function<void(ConnectionList)> on_listed,
                               std::function<void()> on_no_memory) {
  auto parts = parts_for<ListPart>(query.filter, query);
  Inquiry inquiry;
  inquiry.parts = {parts.begin(), parts.end()};
  inquiry.on_no_memory = std::move(on_no_memory);
  inquiry.on_end = [query, parts = std::move(parts),
                    on_listed = std::move(on_listed)](std::vector<std::size_t> silent_workers) {
    ConnectionList list;
    list.silent_workers = std::move(silent_workers);
    for (const auto& part : parts) {
      if (part != nullptr && part->counts()) {
        list.total += part->total();
        list.connections.insert(list.connections.end(), part->first().begin(), part->first().end());
      }
    }
    std::sort(list.connections.begin(), list.connections.end(),
              [&query](const ConnectionFacts& left, const ConnectionFacts& right) {
                return comes_before(left, right, query.order);
              });
    const auto first = list.connections.begin();
    const std::size_t size = list.connections.size();
    list.connections = {
        std::next(first, static_cast<std::ptrdiff_t>(std::min(query.offset, size))),
        std::next(first, static_cast<std::ptrdiff_t>(std::min(query.offset + query.limit, size)))};
    on_listed(std::move(list));
  };
  return ask(std::move(inquiry));
}

bool ConnectionInquiries::close(const ConnectionFilter& filter,
                                std::function<void(ClosedConnections)> on_closed,
                                std::function<void()> on_no_memory) {
  auto parts = parts_for<ClosePart>(filter, filter);
  Inquiry inquiry;
  inquiry.parts = {parts.begin(), parts.end()};
  inquiry.on_no_memory = std::move(on_no_memory);
  inquiry.on_end = [parts = std::move(parts),
                    on_closed = std::move(on_closed)](std::vector<std::size_t> silent_workers) {
    ClosedConnections result{.silent_workers = std::move(silent_workers)};
    for (const auto& part : parts) {
      result.closed += part != nullptr && part->counts() ? part->closed() : 0;
    }
    on_closed(std::move(result));
  };
  return ask(std::move(inquiry));
}

bool ConnectionInquiries::ask(Inquiry inquiry) {
  if (inquiries_.size() > kMostWaiting) {
    return false;
  }
  inquiries_.push_back(std::move(inquiry));
  if (inquiries_.size() == 1) {
    start_next();
  }
  return true;
}

// Signals too: if no worker is asked, or all asked workers are stuck, no other signal comes.
void ConnectionInquiries::start_next() noexcept {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (inquiries_.front().parts[i] != nullptr) {
      workers_.at(i).inquire(inquiries_.front().parts[i]);
    }
  }
  timeout_.expire_at(loop_.now() + kTimeout);
  answered_->signal();
}

// A worker that has ended has no connections.
bool ConnectionInquiries::is_awaited(std::size_t worker) const noexcept {
  const auto& part = inquiries_.front().parts[worker];
  return part != nullptr && !part->has_answered() && !workers_.at(worker).has_ended() &&
         !service_.is_stuck(worker);
}

void ConnectionInquiries::check_answers() noexcept {
  if (inquiries_.empty()) {
    return;
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (is_awaited(i)) {
      return;
    }
  }
  end();
}

void ConnectionInquiries::end() noexcept {
  timeout_.cancel();
  try {
    inquiries_.front().on_end(conclude_parts());
  } catch (const std::bad_alloc&) {
    inquiries_.front().on_no_memory();
  }
  inquiries_.pop_front();
  if (!inquiries_.empty()) {
    start_next();
  }
}

// Returns the silent workers.
std::vector<std::size_t> ConnectionInquiries::conclude_parts() {
  std::vector<std::size_t> silent;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const auto& part = inquiries_.front().parts[i];
    if (part == nullptr) {
      continue;
    }
    const bool has_ended = workers_.at(i).has_ended();
    part->conclude();
    if (!part->counts() && !has_ended) {
      silent.push_back(i);
    }
  }
  return silent;
}

}  // namespace echod
