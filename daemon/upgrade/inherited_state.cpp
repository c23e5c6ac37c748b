#include "upgrade/inherited_state.hpp"

#include <cstdlib>
#include <utility>

#include "config/net/parse_number.hpp"
#include "sys/unique_fd.hpp"
#include "upgrade/program_environment.hpp"
#include "upgrade/state_reader.hpp"

namespace echod {

InheritedState::InheritedState(sys::MemoryMap map)
    : map_(std::make_shared<const sys::MemoryMap>(std::move(map))),
      values_(read_state(map_->bytes())) {
  const std::span<std::byte> own = map_->writable_bytes();
  for (ParkedConnection& connection : values_.connections) {
    if (!own.empty() && !connection.owed.empty()) {
      const auto offset = static_cast<std::size_t>(connection.owed.data() - map_->bytes().data());
      connection.own_memory = own.subspan(offset, connection.owed.size());
    }
  }
}

std::optional<InheritedState> InheritedState::receive() {
  const char* const text = std::getenv(kStateVariable);  // NOLINT(concurrency-mt-unsafe)
  if (text == nullptr) {
    return std::nullopt;
  }
  const auto number = parse_number<int>(text);
  if (!number || *number <= 2) {
    throw StateError(std::string(kStateVariable) + " is not the number of a descriptor");
  }
  const auto fd = sys::UniqueFd::adopt(*number);
  unsetenv(kStateVariable);  // NOLINT(concurrency-mt-unsafe): the first thread starts later.
  return InheritedState(sys::MemoryMap(fd.get()));
}

}  // namespace echod
