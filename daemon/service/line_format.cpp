#include "service/line_format.hpp"

#include <spdlog/pattern_formatter.h>

#include <array>
#include <ctime>
#include <mutex>
#include <string_view>

#include "service/log_queue.hpp"

namespace echod {

namespace {

struct LevelWords {
  std::string_view name;      // In capitals: spdlog has no flag for that.
  std::string_view priority;  // syslog(3) priority.
};

constexpr std::array<LevelWords, spdlog::level::n_levels> kLevels = {{
    {"TRACE", "<7>"},
    {"DEBUG", "<7>"},
    {"INFO", "<6>"},
    {"WARNING", "<4>"},
    {"ERROR", "<3>"},
    {"CRITICAL", "<2>"},
    {"OFF", ""},
}};

template <std::string_view LevelWords::*Word>
class LevelFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const std::string_view word = kLevels[static_cast<std::size_t>(message.level)].*Word;
    out.append(word.data(), word.data() + word.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return spdlog::details::make_unique<LevelFlag>();
  }
};

// tzset(3) frees the old zone names while time_zone() may read them.
std::mutex time_zone_mutex;

}  // namespace

std::unique_ptr<spdlog::formatter> line_format(LineForm form) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<LevelFlag<&LevelWords::name>>('*');
  formatter->add_flag<LevelFlag<&LevelWords::priority>>('P');
  formatter->set_pattern(form == LineForm::journal ? "%P%v"
                                                   : "%Y-%m-%d %H:%M:%S,%e - %n - %* - %v");
  return formatter;
}

void read_time_zone() {
  const std::scoped_lock lock(time_zone_mutex);
  tzset();
}

std::string time_zone() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  const std::scoped_lock lock(time_zone_mutex);
  tzset();
  (void)localtime_r(&now, &local);  // Fails for years beyond the range of int.
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%z (%Z)", &local)};
}

LineFormatter::LineFormatter(LineForm form) : format_(line_format(form)) {
  constexpr std::size_t kPrefix = 256;
  line_.reserve(kPrefix + LogQueue::kLongestText);
}

std::string_view LineFormatter::format(const spdlog::details::log_msg& message) {
  line_.clear();
  format_->format(message, line_);
  return {line_.data(), line_.size()};
}

}  // namespace echod
