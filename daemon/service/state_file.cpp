#include "service/state_file.hpp"

#include "service/restored_workers.hpp"
#include "upgrade/state_reader.hpp"
#include "upgrade/state_writer.hpp"

namespace echod {

namespace {

void append_if_open(int fd, std::vector<int>& descriptors) {
  if (fd >= 0) {
    descriptors.push_back(fd);
  }
}

}  // namespace

StateFile::StateFile(ServiceState service, Workers& workers) {
  descriptors_ = descriptors_of(service);
  descriptors_.push_back(file_.fd());
  std::size_t owing = 0;
  std::uint64_t owed_bytes = 0;
  service.connections = 0;
  StateWriter counter;
  visit_parked(workers, [&](const ParkedConnection& connection) {
    ++service.connections;
    append_descriptors_of(connection, descriptors_);
    counter.write(connection);
    owing += connection.own_memory.empty() ? 0U : 1U;
    owed_bytes += connection.own_memory.size();
  });
  counter.write(service);
  counter.finish();
  file_.reserve(counter.bytes() - owed_bytes);  // Fails here if memory is short.
  released_.reserve(owing);

  StateWriter writer(file_);
  writer.write(service);
  visit_parked(workers, [&](const ParkedConnection& connection) {
    writer.write(connection);
    if (!connection.own_memory.empty()) {
      writer.flush();
      released_.add(connection.own_memory, writer.bytes() - connection.own_memory.size());
    }
  });
  writer.finish();
  file_.seal_length();  // The next program gives the memory back as clients take their bytes.
  (void)read_state(sys::MemoryMap(file_.fd()).bytes());  // A refusal after execve(2) is too late.
}

StateFile::ReleasedMemory::~ReleasedMemory() {
  for (const Span& span : spans_) {
    file_.read(span.memory, span.offset);
  }
}

void StateFile::ReleasedMemory::add(std::span<std::byte> memory, std::uint64_t offset) noexcept {
  spans_.push_back({.memory = memory, .offset = offset});
  sys::drop_pages(memory);
}

std::vector<int> descriptors_of(const ServiceState& service) {
  std::vector<int> descriptors;
  for (const ListenerState& listener : service.listeners) {
    append_if_open(listener.fd, descriptors);
    append_if_open(listener.lock_fd, descriptors);
  }
  append_if_open(service.admin.unix_fd, descriptors);
  append_if_open(service.admin.unix_lock_fd, descriptors);
  append_if_open(service.admin.tcp_fd, descriptors);
  return descriptors;
}

void append_descriptors_of(const ParkedConnection& connection, std::vector<int>& descriptors) {
  append_if_open(connection.fd, descriptors);
  append_if_open(connection.pipe_read_end, descriptors);
  append_if_open(connection.pipe_write_end, descriptors);
}

}  // namespace echod
