#include "upgrade/state_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <type_traits>

#include "upgrade/state_format.hpp"

namespace echod {

namespace {

static_assert(std::endian::native == std::endian::little, "integers are written as they are");

using state_format::RecordType;

constexpr std::size_t kBufferBytes = std::size_t{64} * 1024;

// Counts the bytes of a record, which its prefix needs.
struct ByteCount {
  std::uint64_t bytes = 0;

  void put(std::span<const std::byte> more) noexcept { bytes += more.size(); }
};

template <typename Number>
std::array<std::byte, sizeof(Number)> bytes_of(Number number) noexcept {
  return std::bit_cast<std::array<std::byte, sizeof(Number)>>(number);
}

// The prefix of a record or field, and behind it a number if there is one.
template <typename... Number>
auto with_prefix(std::uint16_t type_or_tag, std::uint64_t length, Number... number) {
  if (length > std::numeric_limits<std::uint32_t>::max()) {
    throw std::length_error("a value of the state exceeds 4 GiB");
  }
  std::array<std::byte, state_format::kPrefixBytes + (0 + ... + sizeof(Number))> all{};
  auto end = all.begin();
  const auto append = [&end](const auto& bytes) {
    end = std::copy(bytes.begin(), bytes.end(), end);
  };
  append(bytes_of(type_or_tag));
  append(bytes_of(static_cast<std::uint32_t>(length)));
  (append(bytes_of(number)), ...);
  return all;
}

// A visitor (state_format.hpp) that writes the fields of a record.
template <typename Sink>
class FieldWriter {
 public:
  explicit FieldWriter(Sink& sink) noexcept : sink_(sink) {}

  template <typename Number>
  requires std::is_arithmetic_v<Number>
  void field(std::uint16_t tag, const char* /*name*/, Number number) {
    sink_.put(with_prefix(tag, sizeof number, number));
  }
  void field(std::uint16_t tag, const char* name, bool is_set) {
    field(tag, name, static_cast<std::uint8_t>(is_set));
  }
  void field(std::uint16_t tag, const char* name, ParkedConnection::State state) {
    field(tag, name, static_cast<std::uint8_t>(state));
  }
  void field(std::uint16_t tag, const char* name, Protocol protocol) {
    field(tag, name, static_cast<std::uint8_t>(protocol));
  }
  void field(std::uint16_t tag, const char* name, std::chrono::milliseconds time) {
    field(tag, name, std::int64_t{time.count()});
  }
  void field(std::uint16_t tag, const char* /*name*/, std::string_view text) {
    put_field(tag, std::as_bytes(std::span(text)));
  }
  void field(std::uint16_t tag, const char* /*name*/, const std::vector<std::uint64_t>& numbers) {
    put_field(tag, std::as_bytes(std::span(numbers)));
  }
  void field(std::uint16_t tag, const char* /*name*/, const SocketAddress& address) {
    const std::span<const std::uint8_t> bytes = address.bytes();
    const std::uint16_t port = address.port();
    const std::uint32_t scope_id = address.scope_id();
    sink_.put(with_prefix(tag, sizeof port + sizeof scope_id + bytes.size(), port, scope_id));
    sink_.put(std::as_bytes(bytes));
  }
  void optional(std::uint16_t tag, const char* /*name*/, std::span<const std::byte> bytes) {
    if (!bytes.empty()) {
      put_field(tag, bytes);
    }
  }
  void descriptor(std::uint16_t tag, const char* name, int fd) { field(tag, name, fd); }
  void optional_descriptor(std::uint16_t tag, const char* name, int fd) {
    if (fd >= 0) {
      field(tag, name, fd);
    }
  }
  void counts(std::uint16_t tag, const char* /*name*/, const std::vector<NamedCount>& counts) {
    for (const NamedCount& count : counts) {
      sink_.put(with_prefix(tag, sizeof count.value + count.name.size(), count.value));
      sink_.put(std::as_bytes(std::span(count.name)));
    }
  }

 private:
  void put_field(std::uint16_t tag, std::span<const std::byte> bytes) {
    sink_.put(with_prefix(tag, bytes.size()));
    sink_.put(bytes);
  }

  Sink& sink_;
};

// Writes a record; `visit` gets a visitor and names the fields.
template <typename Visit>
void put_record(StateWriter& writer, RecordType type, Visit visit) {
  ByteCount count;
  FieldWriter counter(count);
  visit(counter);
  writer.put(with_prefix(static_cast<std::uint16_t>(type), count.bytes));
  FieldWriter fields(writer);
  visit(fields);
}

}  // namespace

StateWriter::StateWriter() = default;

StateWriter::StateWriter(sys::MemoryFile& file) : file_(&file), buffer_(kBufferBytes) {}

void StateWriter::write(const ServiceState& service) {
  put(std::as_bytes(std::span(state_format::kMagic)));
  put(bytes_of(state_format::kVersion));
  put(bytes_of(state_format::kOldestReader));
  put_record(*this, RecordType::service,
             [&](auto& visitor) { state_format::visit_service(visitor, service); });
  for (const ListenerState& listener : service.listeners) {
    put_record(*this, RecordType::listener,
               [&](auto& visitor) { state_format::visit_listener(visitor, listener); });
  }
  put_record(*this, RecordType::admin,
             [&](auto& visitor) { state_format::visit_admin(visitor, service.admin); });
  for (const WorkerState& worker : service.workers) {
    put_record(*this, RecordType::worker,
               [&](auto& visitor) { state_format::visit_worker(visitor, worker); });
  }
}

void StateWriter::write(const ParkedConnection& connection) {
  put_record(*this, RecordType::connection,
             [&](auto& visitor) { state_format::visit_connection(visitor, connection); });
}

void StateWriter::finish() {
  put(with_prefix(static_cast<std::uint16_t>(RecordType::end), 0));
  flush();
}

void StateWriter::put(std::span<const std::byte> bytes) {
  if (file_ != nullptr) {
    if (bytes.size() > buffer_.size() - buffered_) {
      flush();
    }
    if (bytes.size() > buffer_.size()) {
      file_->write(bytes, total_);
    } else {
      std::copy(bytes.begin(), bytes.end(),
                buffer_.begin() + static_cast<std::ptrdiff_t>(buffered_));
      buffered_ += bytes.size();
    }
  }
  total_ += bytes.size();
}

void StateWriter::flush() {
  if (buffered_ > 0) {
    file_->write(std::span(buffer_).first(buffered_), total_ - buffered_);
    buffered_ = 0;
  }
}

void write_state(const UpgradeState& state, sys::MemoryFile& file) {
  const auto write_all = [&state](StateWriter writer) {
    writer.write(state.service);
    for (const ParkedConnection& connection : state.connections) {
      writer.write(connection);
    }
    writer.finish();
    return writer.bytes();
  };
  file.reserve(write_all(StateWriter()));
  (void)write_all(StateWriter(file));
}

}  // namespace echod
