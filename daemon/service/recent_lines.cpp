#include "service/recent_lines.hpp"

#include <algorithm>
#include <string_view>

#include "service/line_format.hpp"

namespace echod {

void RecentLines::log(const spdlog::details::log_msg& message) {
  const std::scoped_lock lock(mutex_);
  Line& line = lines_[count_++ % kLines];
  line.time = message.time;
  line.level = message.level;
  line.length = std::min(message.payload.size(), kLongestText);
  std::copy_n(message.payload.begin(), line.length, line.text.begin());
}

// Formats without the lock, because the formatter may wait for another thread that reads the time
// zone.
std::vector<std::string> RecentLines::lines() const {
  std::vector<Line> lines;
  lines.reserve(kLines);
  {
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = count_ - std::min(count_, kLines); i < count_; ++i) {
      lines.push_back(lines_[i % kLines]);
    }
  }
  LineFormatter formatter(LineForm::dated);
  std::vector<std::string> texts;
  for (const Line& line : lines) {
    std::string_view text = formatter.format(
        {line.time, {}, kLoggerName, line.level, std::string_view(line.text.data(), line.length)});
    text.remove_suffix(text.ends_with('\n') ? 1 : 0);
    texts.emplace_back(text);
  }
  return texts;
}

}  // namespace echod
