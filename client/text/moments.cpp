#include "client/text/moments.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace echod::client {

namespace {

using std::chrono::nanoseconds;

// Parses a text from the front. After the first error it parses nothing more.
class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : rest_(text) {}

  // A number of exactly `digits` digits, from `least` to `most`.
  [[nodiscard]] int number(std::size_t digits, int least, int most) noexcept {
    int value = 0;
    const std::string_view taken = rest_.substr(0, digits);
    is_good_ = is_good_ && taken.size() == digits && is_all_digits(taken);
    if (is_good_) {
      // Cannot fail: only a few digits.
      (void)std::from_chars(taken.data(), taken.data() + digits, value);
      is_good_ = value >= least && value <= most;
      rest_.remove_prefix(digits);
    }
    return value;
  }
  [[nodiscard]] char one_of(std::string_view characters) noexcept {
    is_good_ =
        is_good_ && !rest_.empty() && characters.find(rest_.front()) != std::string_view::npos;
    if (!is_good_) {
      return '\0';
    }
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }
  // An optional fraction such as ".25". Digits after the ninth are dropped.
  [[nodiscard]] nanoseconds fraction() noexcept {
    nanoseconds sum{0};
    if (!is_good_ || !rest_.starts_with('.')) {
      return sum;
    }
    rest_.remove_prefix(1);
    const std::size_t digits = rest_.find_first_not_of(kDigits);
    is_good_ = !rest_.empty() && digits != 0;
    constexpr int kTen = 10;
    for (nanoseconds worth = std::chrono::milliseconds(100);
         !rest_.empty() && is_all_digits(rest_.substr(0, 1)); worth /= kTen) {
      sum += worth * (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return sum;
  }
  [[nodiscard]] bool is_at_the_end() const noexcept { return is_good_ && rest_.empty(); }

 private:
  static constexpr std::string_view kDigits = "0123456789";
  [[nodiscard]] static bool is_all_digits(std::string_view text) noexcept {
    return text.find_first_not_of(kDigits) == std::string_view::npos;
  }

  std::string_view rest_;
  bool is_good_ = true;
};

// "Z" or an offset such as "+01:00": how far the local time is ahead of UTC.
std::chrono::minutes offset_from(Reader& reader) noexcept {
  const char sign = reader.one_of("Zz+-");
  if (sign != '+' && sign != '-') {
    return std::chrono::minutes(0);
  }
  const std::chrono::hours hours(reader.number(2, 0, 23));
  (void)reader.one_of(":");
  const std::chrono::minutes ahead = hours + std::chrono::minutes(reader.number(2, 0, 59));
  return sign == '+' ? ahead : -ahead;
}

std::optional<Moment> since_epoch(std::string_view text) noexcept {
  constexpr std::uint64_t kMost = 9'000'000'000;
  std::uint64_t seconds = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || seconds > kMost) {
    return std::nullopt;
  }
  Reader rest(std::string_view(stop, static_cast<std::size_t>(text.data() + text.size() - stop)));
  const nanoseconds fraction = rest.fraction();
  return rest.is_at_the_end() ? std::optional(Moment(std::chrono::seconds(seconds) + fraction))
                              : std::nullopt;
}

}  // namespace

std::string moment_text(Moment moment) {
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<nanoseconds> time(moment - day);
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ",
                      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                      static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                      static_cast<int>(time.minutes().count()),
                      static_cast<int>(time.seconds().count()),
                      static_cast<int>(time.subseconds().count()));
  return text.data();
}

std::optional<Moment> parse_moment(std::string_view text) noexcept {
  if (text.find_first_not_of("0123456789.") == std::string_view::npos) {
    return since_epoch(text);
  }
  Reader reader(text);
  // 64 bits hold nanoseconds since 1970 until 2262.
  const std::chrono::year year(reader.number(4, 1970, 2261));
  (void)reader.one_of("-");
  const std::chrono::month month(static_cast<unsigned>(reader.number(2, 1, 12)));
  (void)reader.one_of("-");
  const std::chrono::day day(static_cast<unsigned>(reader.number(2, 1, 31)));
  (void)reader.one_of("Tt ");
  const std::chrono::hours hours(reader.number(2, 0, 23));
  (void)reader.one_of(":");
  const std::chrono::minutes minutes(reader.number(2, 0, 59));
  (void)reader.one_of(":");
  const std::chrono::seconds seconds(reader.number(2, 0, 60));
  const nanoseconds fraction = reader.fraction();
  const std::chrono::minutes ahead = offset_from(reader);
  const std::chrono::year_month_day date(year, month, day);
  if (!reader.is_at_the_end() || !date.ok()) {
    return std::nullopt;
  }
  return Moment(std::chrono::sys_days(date)) + hours + minutes + seconds + fraction - ahead;
}

}  // namespace echod::client
