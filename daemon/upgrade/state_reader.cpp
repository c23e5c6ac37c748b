#include "upgrade/state_reader.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "config/config.hpp"
#include "upgrade/state_format.hpp"

namespace echod {

namespace {

static_assert(std::endian::native == std::endian::little, "integers are read as they are");

using state_format::RecordType;

constexpr int kFirstDescriptor = 3;                 // Those below are the standard streams.
constexpr std::size_t kLeastConnectionBytes = 100;  // A connection with all its fields has more.

template <typename Number>
Number number_at(std::span<const std::byte> bytes) noexcept {
  Number number{};
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A record or a field: its type or tag, and its content.
struct Item {
  std::uint16_t number = 0;
  std::span<const std::byte> content;
};

// Removes the next item from the front of `left`. Returns nothing if `left` ends before the item.
std::optional<Item> take_item(std::span<const std::byte>& left) noexcept {
  if (left.size() < state_format::kPrefixBytes) {
    return std::nullopt;
  }
  const auto number = number_at<std::uint16_t>(left);
  const auto length = number_at<std::uint32_t>(left.subspan(sizeof number));
  const std::span<const std::byte> rest = left.subspan(state_format::kPrefixBytes);
  if (length > rest.size()) {
    return std::nullopt;
  }
  left = rest.subspan(length);
  return Item{.number = number, .content = rest.first(length)};
}

// A visitor (state_format.hpp) that sets the values from the fields of a record.
class FieldReader {
 public:
  // Finds the fields. `position` is the number of the record, from 1, for messages. Descriptors are
  // appended to `descriptors`.
  FieldReader(const Item& record, std::uint64_t position, std::vector<int>& descriptors)
      : record_(record), position_(position), descriptors_(descriptors) {
    std::span<const std::byte> left = record.content;
    while (!left.empty()) {
      const std::optional<Item> item = take_item(left);
      if (!item) {
        fail("a field is longer than the record");
      }
      if (item->number < state_format::kMostTags) {
        const std::uint32_t bit = std::uint32_t{1} << item->number;
        repeated_ |= present_ & bit;
        present_ |= bit;
        contents_[item->number] = item->content;
      }
    }
  }

  template <typename Number>
  requires std::is_arithmetic_v<Number>
  void field(std::uint16_t tag, const char* name, Number& number) const {
    const std::span<const std::byte> content = content_of(tag, name);
    if (content.size() != sizeof number) {
      fail_field(tag, name,
                 "has " + std::to_string(content.size()) + " bytes instead of " +
                     std::to_string(sizeof number));
    }
    number = number_at<Number>(content);
    if constexpr (std::is_floating_point_v<Number>) {
      if (!std::isfinite(number)) {
        fail_field(tag, name, "is not a finite number");
      }
    }
  }
  void field(std::uint16_t tag, const char* name, bool& is_set) const {
    is_set = small_number(tag, name, 1) != 0;
  }
  void field(std::uint16_t tag, const char* name, ParkedConnection::State& state) const {
    using State = ParkedConnection::State;
    state =
        static_cast<State>(small_number(tag, name, static_cast<std::uint8_t>(State::delivering)));
  }
  void field(std::uint16_t tag, const char* name, Protocol& protocol) const {
    protocol =
        static_cast<Protocol>(small_number(tag, name, static_cast<std::uint8_t>(Protocol::udp)));
  }
  void field(std::uint16_t tag, const char* name, std::chrono::milliseconds& time) const {
    std::int64_t milliseconds = 0;
    field(tag, name, milliseconds);
    time = std::chrono::milliseconds(milliseconds);
  }
  void field(std::uint16_t tag, const char* name, std::string& text) const {
    text = text_of(content_of(tag, name));
  }
  void field(std::uint16_t tag, const char* name, std::vector<std::uint64_t>& numbers) const {
    const std::span<const std::byte> content = content_of(tag, name);
    if (content.size() % sizeof(std::uint64_t) != 0) {
      fail_field(tag, name, "is not a list of numbers of 8 bytes");
    }
    numbers.resize(content.size() / sizeof(std::uint64_t));
    if (!numbers.empty()) {
      std::memcpy(numbers.data(), content.data(), content.size());
    }
  }
  void field(std::uint16_t tag, const char* name, SocketAddress& address) const {
    constexpr std::size_t kPortAndScope = sizeof(std::uint16_t) + sizeof(std::uint32_t);
    const std::span<const std::byte> content = content_of(tag, name);
    std::optional<SocketAddress> found;
    if (content.size() > kPortAndScope) {
      const auto host = content.subspan(kPortAndScope);
      const auto port = number_at<std::uint16_t>(content);
      const auto scope = number_at<std::uint32_t>(content.subspan(sizeof port));
      found = SocketAddress::from_parts(
          {reinterpret_cast<const std::uint8_t*>(host.data()), host.size()}, scope, port);
    }
    if (!found) {
      fail_field(tag, name, "is not an address");
    }
    address = *found;
  }
  void optional(std::uint16_t tag, const char* name, std::span<const std::byte>& bytes) const {
    if (has(tag)) {
      bytes = content_of(tag, name);
    }
  }
  void descriptor(std::uint16_t tag, const char* name, int& fd) const {
    field(tag, name, fd);
    if (fd < kFirstDescriptor) {
      fail_field(tag, name, "is " + std::to_string(fd) + "; the lowest allowed is 3");
    }
    descriptors_.push_back(fd);
  }
  void optional_descriptor(std::uint16_t tag, const char* name, int& fd) const {
    if (has(tag)) {
      descriptor(tag, name, fd);
    }
  }
  void counts(std::uint16_t tag, const char* name, std::vector<NamedCount>& counts) const {
    std::span<const std::byte> left = record_.content;
    while (const std::optional<Item> item = take_item(left)) {
      if (item->number != tag) {
        continue;
      }
      if (item->content.size() < sizeof(std::uint64_t)) {
        fail_field(tag, name, "has less than 8 bytes");
      }
      counts.push_back({.name = text_of(item->content.subspan(sizeof(std::uint64_t))),
                        .value = number_at<std::uint64_t>(item->content)});
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw StateError("record " + std::to_string(position_) + " of the state (" +
                     state_format::record_name(record_.number) + "): " + what);
  }

 private:
  [[nodiscard]] bool has(std::uint16_t tag) const noexcept { return ((present_ >> tag) & 1U) != 0; }

  [[nodiscard]] std::span<const std::byte> content_of(std::uint16_t tag, const char* name) const {
    if (!has(tag)) {
      fail_field(tag, name, "is missing");
    }
    if (((repeated_ >> tag) & 1U) != 0) {
      fail_field(tag, name, "appears twice");
    }
    return contents_[tag];
  }

  [[nodiscard]] std::uint8_t small_number(std::uint16_t tag, const char* name,
                                          std::uint8_t largest) const {
    std::uint8_t number = 0;
    field(tag, name, number);
    if (number > largest) {
      fail_field(
          tag, name,
          "is " + std::to_string(number) + "; the largest allowed is " + std::to_string(largest));
    }
    return number;
  }

  [[noreturn]] void fail_field(std::uint16_t tag, const char* name, const std::string& what) const {
    fail("field " + std::to_string(tag) + " (" + name + ") " + what);
  }

  const Item& record_;
  std::uint64_t position_;
  std::vector<int>& descriptors_;
  std::uint32_t present_ = 0;   // Bit n: there is a field with tag n.
  std::uint32_t repeated_ = 0;  // Bit n: there are several.
  std::array<std::span<const std::byte>, state_format::kMostTags> contents_;  // By tag.
};

class StateReader {
 public:
  explicit StateReader(std::span<const std::byte> bytes) : total_(bytes.size()), left_(bytes) {}

  UpgradeState read() {
    read_header();
    bool has_ended = false;
    while (!has_ended) {
      ++position_;
      const std::optional<Item> record = take_item(left_);
      if (!record) {
        throw StateError("the state ends within record " + std::to_string(position_));
      }
      has_ended = read_record(*record);
    }
    if (!left_.empty()) {
      throw StateError(std::to_string(left_.size()) + " bytes follow the end of the state");
    }
    check_connections();
    check_descriptors();
    return std::move(state_);
  }

 private:
  void read_header() {
    const std::string_view magic = state_format::kMagic;
    if (left_.size() < state_format::kHeaderBytes ||
        std::memcmp(left_.data(), magic.data(), magic.size()) != 0) {
      throw StateError("this is not a state of echod: it does not begin with " +
                       std::string(magic));
    }
    const auto versions = left_.subspan(magic.size());
    const auto version = number_at<std::uint16_t>(versions);
    const auto oldest_reader = number_at<std::uint16_t>(versions.subspan(sizeof version));
    if (oldest_reader > state_format::kVersion) {
      throw StateError("the state has format version " + std::to_string(version) +
                       ", which needs a program that knows version " +
                       std::to_string(oldest_reader) + "; this one knows version " +
                       std::to_string(state_format::kVersion));
    }
    left_ = left_.subspan(state_format::kHeaderBytes);
  }

  // Returns whether it is the last record.
  bool read_record(const Item& record) {
    const auto type = static_cast<RecordType>(record.number);
    if ((type == RecordType::service) != (position_ == 1)) {
      throw StateError("record " + std::to_string(position_) + " of the state (" +
                       state_format::record_name(record.number) +
                       "): the first record, and only it, must be the service record");
    }
    switch (type) {
      case RecordType::service: {
        const FieldReader fields(record, position_, descriptors_);
        state_format::visit_service(fields, state_.service);
        reserve_connections();
        break;
      }
      case RecordType::listener: {
        const FieldReader fields(record, position_, descriptors_);
        state_format::visit_listener(fields, state_.service.listeners.emplace_back());
        break;
      }
      case RecordType::admin: {
        const FieldReader fields(record, position_, descriptors_);
        if (has_admin_) {
          fields.fail("there is another one before");
        }
        has_admin_ = true;
        state_format::visit_admin(fields, state_.service.admin);
        break;
      }
      case RecordType::worker: {
        const FieldReader fields(record, position_, descriptors_);
        state_format::visit_worker(fields, state_.service.workers.emplace_back());
        break;
      }
      case RecordType::connection: {
        const FieldReader fields(record, position_, descriptors_);
        read_connection(fields, state_.connections.emplace_back());
        break;
      }
      case RecordType::end:
        return true;
    }
    return false;  // An unknown type is skipped.
  }

  static void read_connection(const FieldReader& fields, ParkedConnection& connection) {
    state_format::visit_connection(fields, connection);
    if ((connection.pipe_read_end < 0) != (connection.pipe_write_end < 0)) {
      fields.fail("the pipe has only one end");
    }
    const bool has_pipe = connection.pipe_read_end >= 0;
    const bool owes_memory = !connection.owed.empty();
    const bool owes_pipe = connection.pipe_bytes > 0;
    if (owes_pipe && !has_pipe) {
      fields.fail("has bytes in a pipe, but no pipe");
    }
    if (owes_memory && owes_pipe) {
      fields.fail("bytes are owed both in memory and in a pipe");
    }
    if ((owes_memory || owes_pipe) && connection.state != ParkedConnection::State::flushing) {
      fields.fail("has owed bytes, but its state is not flushing");
    }
  }

  // The announced number is not trusted: the bytes may not suffice for so many.
  void reserve_connections() {
    const std::uint64_t most = total_ / kLeastConnectionBytes;
    const std::uint64_t wanted = std::min(state_.service.connections, most);
    state_.connections.reserve(static_cast<std::size_t>(wanted));
    descriptors_.reserve(static_cast<std::size_t>(wanted));
  }

  void check_connections() const {
    const ServiceState& service = state_.service;
    if (state_.connections.size() != service.connections) {
      throw StateError("the state has " + std::to_string(state_.connections.size()) +
                       " connections, but its service record says " +
                       std::to_string(service.connections));
    }
    for (const ParkedConnection& connection : state_.connections) {
      if (connection.worker >= service.workers.size()) {
        throw StateError("a connection of the state names worker " +
                         std::to_string(connection.worker) + "; there are " +
                         std::to_string(service.workers.size()) + " workers, counted from 0");
      }
    }
  }

  void check_descriptors() {
    std::sort(descriptors_.begin(), descriptors_.end());
    const auto twice = std::adjacent_find(descriptors_.begin(), descriptors_.end());
    if (twice != descriptors_.end()) {
      throw StateError("descriptor " + std::to_string(*twice) + " appears twice in the state");
    }
  }

  static_assert(kMostListeners >= std::numeric_limits<std::uint8_t>::max(),
                "ParkedConnection::listener cannot be too large");

  std::size_t total_;
  std::span<const std::byte> left_;
  std::uint64_t position_ = 0;  // Of the record, from 1.
  bool has_admin_ = false;
  std::vector<int> descriptors_;
  UpgradeState state_;
};

}  // namespace

UpgradeState read_state(std::span<const std::byte> bytes) {
  return StateReader(bytes).read();
}

}  // namespace echod
