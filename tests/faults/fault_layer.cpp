#include "fault_layer.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "replaced_new.hpp"

// Defined by the linker: the begin of the executable, and the end of its code.
extern "C" {
extern const char __executable_start;  // NOLINT(*-identifier-naming)
extern const char etext;               // NOLINT(*-identifier-naming)
}

namespace echod::test {

namespace {

[[noreturn]] void give_up(const char* what) noexcept {
  (void)std::fprintf(stderr, "echod-faults: %s\n", what);
  std::_Exit(99);
}

// Creates the first of the files "FILE.1", "FILE.2", ... that does not exist. Sets its number.
int create_next(const char* file, unsigned& number) noexcept {
  constexpr unsigned kMost = 100;
  std::array<char, 4096> name{};
  for (number = 1; number <= kMost; ++number) {
    (void)std::snprintf(name.data(), name.size(), "%s.%u", file, number);
    const int fd = ::open(name.data(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 || errno != EEXIST) {
      return fd;
    }
  }
  return -1;
}

// Maps zeros: of a shared file, or of memory if `file` is null. Sets the number of the program.
void* shared_memory(const char* file, std::size_t size, unsigned& program) noexcept {
  int fd = -1;
  if (file != nullptr) {
    fd = create_next(file, program);
    if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(size)) != 0) {
      give_up("cannot make the file of $ECHOD_FAULTS");
    }
  }
  const int flags = file != nullptr ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) {
    give_up("no memory for counts");
  }
  if (fd >= 0) {
    (void)::close(fd);  // The mapping stays.
  }
  return memory;
}

Fault::Action action_of(const char* name) noexcept {
  constexpr std::array<const char*, 5> kNames = {"none", "fail", "after", "cut", "part"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (std::strcmp(kNames[i], name) == 0) {
      return static_cast<Fault::Action>(i);
    }
  }
  give_up("no such action in $ECHOD_FAULT");
}

// Stores the return addresses of the function with this frame and of its callers. It stops at the
// first address outside this executable, because a frame pointer beyond it may be invalid.
template <typename Places>
void walk(const void* frame, Places& places) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(&__executable_start);
  const auto end = reinterpret_cast<std::uintptr_t>(&etext);
  for (auto& place : places) {
    const auto* const words = static_cast<const std::uintptr_t*>(frame);
    if (words[1] < begin || words[1] >= end) {
      return;
    }
    place = words[1] - begin;
    frame = reinterpret_cast<const void*>(words[0]);  // NOLINT(performance-no-int-to-ptr)
  }
}

}  // namespace

std::atomic<FaultLayer*> FaultLayer::started_{nullptr};

CallPath CallPath::above(const void* frame) noexcept {
  CallPath path;
  walk(frame, path.returns);
  return path;
}

// FNV-1a, never 0.
std::uint64_t CallPath::hash() const noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::uint64_t place : returns) {
    hash = (hash ^ place) * 0x100000001b3U;
    hash ^= hash >> 32U;
  }
  return hash | 1U;
}

FaultLayer& FaultLayer::instance() noexcept {
  static FaultLayer layer;
  return layer;
}

FaultLayer::FaultLayer() noexcept {
  // NOLINTBEGIN(concurrency-mt-unsafe): before the first thread.
  unsigned program = 1;
  record_ =
      static_cast<Record*>(shared_memory(std::getenv("ECHOD_FAULTS"), sizeof(Record), program));
  if (const char* const text = std::getenv("ECHOD_FAULT")) {
    read_plan(text, program);
  }
  // NOLINTEND(concurrency-mt-unsafe)
  started_.store(this, std::memory_order_release);
}

void FaultLayer::read_plan(const char* text, unsigned program) noexcept {
  unsigned wanted = 0;
  int length = 0;
  if (std::sscanf(text, "program %u %n", &wanted, &length) != 1) {
    give_up("cannot read $ECHOD_FAULT");
  }
  text += length;
  Plan plan;
  std::array<char, 8> action{};
  if (std::sscanf(text, "call %" SCNx64 " %" SCNu64 " %7s %d", &plan.path, &plan.nth, action.data(),
                  &plan.fault.value) == 4) {
    plan.fault.action = action_of(action.data());
  } else if (std::sscanf(text, "allocation %" SCNu64 " %" SCNu64, &plan.first_allocation,
                         &plan.allocations) != 2) {
    give_up("cannot read $ECHOD_FAULT");
  }
  if (wanted == program) {
    plan_ = plan;
  }
}

FaultLayer::Path* FaultLayer::find(const CallPath& path) noexcept {
  const std::uint64_t hash = path.hash();
  for (std::size_t i = 0; i < record_->paths.size(); ++i) {
    Path& place = record_->paths[(hash + i) % record_->paths.size()];
    std::uint64_t found = 0;
    if (place.hash.compare_exchange_strong(found, hash)) {
      for (std::size_t depth = 0; depth < CallPath::kDepth; ++depth) {
        place.returns[depth].store(path.returns[depth]);
      }
      return &place;
    }
    if (found == hash) {
      return &place;
    }
  }
  return nullptr;
}

Fault FaultLayer::on_call(const CallPath& path, int fd) noexcept {
  record_->calls.fetch_add(1);
  Path* const place = find(path);
  if (place == nullptr) {
    record_->paths_lost.fetch_add(1);
    return {};
  }
  const std::uint64_t number = place->calls.fetch_add(1) + 1;
  const bool is_part = plan_.fault.action == Fault::Action::part;
  const bool is_next = is_part && number == plan_.nth + 1;
  if (place->hash.load() != plan_.path || (number != plan_.nth && !is_next)) {
    return {};
  }
  record_->faults.fetch_add(1);
  if (const std::uint16_t port = peer_port(fd); port != 0) {
    record_->peer_port.store(port);
  }
  if (is_part) {
    constexpr int kFewBytes = 7;
    return is_next ? Fault{Fault::Action::fail, plan_.fault.value}
                   : Fault{Fault::Action::cut, kFewBytes};
  }
  return plan_.fault;
}

bool FaultLayer::on_allocation() noexcept {
  const std::uint64_t number = record_->allocations.fetch_add(1) + 1;
  const bool fails =
      number >= plan_.first_allocation && number - plan_.first_allocation < plan_.allocations;
  if (fails) {
    record_->faults.fetch_add(1);
    walk(__builtin_frame_address(0), record_->allocated_by);
    std::array<std::uint64_t, 2> name{};
    (void)prctl(PR_GET_NAME, name.data());
    record_->thread[0].store(name[0]);
    record_->thread[1].store(name[1]);
  }
  return fails;
}

void FaultLayer::note_peer(int fd, std::uint16_t port) noexcept {
  if (static_cast<std::size_t>(fd) < peer_ports_.size()) {
    peer_ports_[static_cast<std::size_t>(fd)].store(port);
  }
}

std::uint16_t FaultLayer::peer_port(int fd) const noexcept {
  if (fd < 0 || static_cast<std::size_t>(fd) >= peer_ports_.size()) {
    return 0;
  }
  const std::uint16_t noted = peer_ports_[static_cast<std::size_t>(fd)].load();
  if (noted != 0) {
    return noted;
  }
  sockaddr_in6 address{};
  socklen_t length = sizeof(address);
  const int error = errno;
  const bool is_found = ::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
                        (address.sin6_family == AF_INET6 || address.sin6_family == AF_INET);
  errno = error;
  return is_found ? ntohs(address.sin6_port) : 0;  // Both families have the port at this offset.
}

void FaultLayer::note_registration(int epoll, int operation, int fd,
                                   const epoll_event* event) noexcept {
  const std::scoped_lock lock(mutex_);
  Registration* unused = nullptr;
  for (Registration& one : registrations_) {
    if (one.fd == fd && one.epoll == epoll) {
      one = operation == EPOLL_CTL_DEL ? Registration{} : Registration{epoll, fd, *event};
      return;
    }
    if (one.fd < 0 && unused == nullptr) {
      unused = &one;
    }
  }
  if (operation != EPOLL_CTL_DEL) {
    if (unused == nullptr) {
      give_up("too many registrations for the table");
    }
    *unused = {epoll, fd, *event};
  }
}

void FaultLayer::forget(int fd) noexcept {
  note_peer(fd, 0);
  const std::scoped_lock lock(mutex_);
  for (Registration& one : registrations_) {
    if (one.fd == fd || one.epoll == fd) {
      one = {};
    }
  }
}

void FaultLayer::raise_again(int fd) noexcept {
  const std::scoped_lock lock(mutex_);
  for (Registration& one : registrations_) {
    if (one.fd != fd) {
      continue;
    }
    if ((one.event.events & EPOLLEXCLUSIVE) != 0) {  // EPOLL_CTL_MOD does not allow it.
      (void)::epoll_ctl(one.epoll, EPOLL_CTL_DEL, fd, nullptr);
      (void)::epoll_ctl(one.epoll, EPOLL_CTL_ADD, fd, &one.event);
    } else {
      (void)::epoll_ctl(one.epoll, EPOLL_CTL_MOD, fd, &one.event);
    }
  }
}

bool allocation_must_fail(std::size_t /*bytes*/) noexcept {
  FaultLayer* const layer = FaultLayer::started();
  return layer != nullptr && layer->on_allocation();
}

}  // namespace echod::test
