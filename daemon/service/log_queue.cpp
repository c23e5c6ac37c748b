#include "log_queue.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "line_format.hpp"

namespace echod {

// Stands before the text of each line.
struct LogQueue::Header {
  spdlog::log_clock::time_point time;
  spdlog::level::level_enum level = spdlog::level::off;
  std::uint32_t length = 0;  // Of the text, in bytes.
};

LogQueue::LogQueue(std::size_t max_lines)
    : max_lines_(max_lines),
      capacity_(std::max(max_lines * 256, sizeof(Header) + kLongestText)),
      ring_(std::make_unique_for_overwrite<char[]>(capacity_)) {
  popped_.reserve(kLongestText);
}

void LogQueue::push(const spdlog::details::log_msg& message) noexcept {
  const std::size_t length = std::min(message.payload.size(), kLongestText);
  const Header header{message.time, message.level, static_cast<std::uint32_t>(length)};
  while (lines_ == max_lines_ || capacity_ - used_ < sizeof(header) + length) {
    drop_oldest();
  }
  put({reinterpret_cast<const char*>(&header), sizeof(header)});
  put({message.payload.data(), length});
  ++lines_;
}

spdlog::details::log_msg LogQueue::pop() noexcept {
  const Header header = take_header();
  popped_.resize(header.length);  // Within its capacity.
  get(popped_);
  return {header.time, {}, kLoggerName, header.level, std::string_view(popped_)};
}

void LogQueue::drop_oldest() noexcept {
  skip(take_header().length);
  ++dropped_lines_;
}

LogQueue::Header LogQueue::take_header() noexcept {
  Header header;
  get({reinterpret_cast<char*>(&header), sizeof(header)});
  --lines_;
  return header;
}

void LogQueue::put(std::span<const char> bytes) noexcept {
  const std::size_t end = (begin_ + used_) % capacity_;
  const std::size_t before_wrap = std::min(bytes.size(), capacity_ - end);
  std::memcpy(ring_.get() + end, bytes.data(), before_wrap);
  std::memcpy(ring_.get(), bytes.data() + before_wrap, bytes.size() - before_wrap);
  used_ += bytes.size();
}

void LogQueue::get(std::span<char> bytes) noexcept {
  const std::size_t before_wrap = std::min(bytes.size(), capacity_ - begin_);
  std::memcpy(bytes.data(), ring_.get() + begin_, before_wrap);
  std::memcpy(bytes.data() + before_wrap, ring_.get(), bytes.size() - before_wrap);
  skip(bytes.size());
}

void LogQueue::skip(std::size_t bytes) noexcept {
  begin_ = (begin_ + bytes) % capacity_;
  used_ -= bytes;
}

}  // namespace echod
