#include "service/log_queue.hpp"

#include <algorithm>
#include <string_view>

#include "service/line_format.hpp"

namespace echod {

// Precedes the text of each line in the ring.
struct LogQueue::Header {
  spdlog::log_clock::time_point time;
  spdlog::level::level_enum level = spdlog::level::off;
  std::uint32_t length = 0;  // Of the text, in bytes.
};

LogQueue::LogQueue(std::size_t max_lines)
    : max_lines_(max_lines), ring_(std::max(max_lines * 256, sizeof(Header) + kLongestText)) {
  popped_.reserve(kLongestText);
}

void LogQueue::push(const spdlog::details::log_msg& message) noexcept {
  const std::size_t length = std::min(message.payload.size(), kLongestText);
  const Header header{message.time, message.level, static_cast<std::uint32_t>(length)};
  while (lines_ == max_lines_ || ring_.size() - used_ < sizeof(header) + length) {
    drop_oldest();
  }
  put({reinterpret_cast<const char*>(&header), sizeof(header)});
  put({message.payload.data(), length});
  ++lines_;
}

spdlog::details::log_msg LogQueue::pop() noexcept {
  const Header header = pop_header();
  popped_.resize(header.length);  // Within its capacity.
  get(popped_);
  return {header.time, {}, kLoggerName, header.level, std::string_view(popped_)};
}

void LogQueue::drop_oldest() noexcept {
  skip(pop_header().length);
  ++dropped_lines_;
}

LogQueue::Header LogQueue::pop_header() noexcept {
  Header header;
  get({reinterpret_cast<char*>(&header), sizeof(header)});
  --lines_;
  return header;
}

void LogQueue::put(std::span<const char> bytes) noexcept {
  const std::size_t end = (begin_ + used_) % ring_.size();
  const std::size_t before_wrap = std::min(bytes.size(), ring_.size() - end);
  std::ranges::copy(bytes.first(before_wrap), ring_.data() + end);
  std::ranges::copy(bytes.subspan(before_wrap), ring_.data());
  used_ += bytes.size();
}

void LogQueue::get(std::span<char> bytes) noexcept {
  const std::size_t before_wrap = std::min(bytes.size(), ring_.size() - begin_);
  std::ranges::copy(std::span(ring_).subspan(begin_, before_wrap), bytes.data());
  std::ranges::copy(std::span(ring_).first(bytes.size() - before_wrap), bytes.data() + before_wrap);
  skip(bytes.size());
}

void LogQueue::skip(std::size_t bytes) noexcept {
  begin_ = (begin_ + bytes) % ring_.size();
  used_ -= bytes;
}

}  // namespace echod
