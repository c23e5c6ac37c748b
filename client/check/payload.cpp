#include "client/check/payload.hpp"

#include <algorithm>

#include "client/text/figures.hpp"

namespace echod::client {

std::span<const std::byte> Payload::text_from(std::uint64_t offset) const {
  return std::as_bytes(std::span(*text_)).subspan(offset);
}

void Payload::fill(std::span<std::byte> out, std::uint64_t offset) const {
  if (text_) {
    std::ranges::copy(text_from(offset).first(out.size()), out.begin());
  } else {
    stream_.fill(out, offset);
  }
}

std::size_t Payload::count_matching(std::span<const std::byte> bytes, std::uint64_t offset) const {
  if (!text_) {
    return stream_.count_matching(bytes, offset);
  }
  const auto difference = std::ranges::mismatch(bytes, text_from(offset));
  return static_cast<std::size_t>(difference.in1 - bytes.begin());
}

std::string Payload::fault_text(const Evidence& evidence, std::uint32_t connections) const {
  if (!text_) {
    return text_of(identify(evidence, connections, seed_));
  }
  const std::string name = "connection " + std::to_string(evidence.connection) + ": ";
  if (evidence.offset >= evidence.sent) {
    return name + bytes_text(evidence.bytes.size()) +
           " more than were sent: " + preview(evidence.bytes);
  }
  return name + "byte " + std::to_string(evidence.offset) + " is " +
         hex_text(evidence.bytes.front()) + ", expected " +
         hex_text(text_from(evidence.offset).front());
}

}  // namespace echod::client
