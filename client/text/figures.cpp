#include "client/text/figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <system_error>

namespace echod::client {

namespace {

bool is_printable(unsigned char character) {
  return character >= ' ' && character <= '~';
}

std::string escaped(std::byte byte) {
  const auto character = std::to_integer<unsigned char>(byte);
  switch (character) {
    case '\r':
      return "\\r";
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    case '"':
    case '\\':
      return {'\\', static_cast<char>(character)};
    default:
      if (is_printable(character)) {
        return {static_cast<char>(character)};
      }
      return '\\' + hex_text(byte).substr(1);
  }
}

}  // namespace

std::string duration_text(std::chrono::nanoseconds duration) {
  constexpr std::array<std::string_view, 4> kUnits{"ns", "us", "ms", "s"};
  constexpr double kStep = 1000;
  return scaled_text(static_cast<double>(duration.count()), kStep, kUnits);
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
  constexpr double kStep = 1024;
  return bytes == 1 ? bytes_text(bytes) : scaled_text(static_cast<double>(bytes), kStep, kUnits);
}

std::string bytes_text(std::uint64_t bytes) {
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

std::string plural(std::uint64_t count, std::string_view noun) {
  return count_text(count) + ' ' + std::string(noun) + (count == 1 ? "" : "s");
}

std::string short_number_text(double number) {
  constexpr double kTen = 10;
  constexpr double kHundred = 100;
  if (number >= kHundred || number == std::floor(number)) {
    return count_text(static_cast<std::uint64_t>(std::llround(number)));
  }
  return number_text(number, number < kTen ? 2 : 1);
}

std::string rate_text(std::uint64_t bytes, std::chrono::nanoseconds duration) {
  constexpr double kBytesPerMegabyte = 1e6;
  const double seconds = std::chrono::duration<double>(duration).count();
  const double megabytes = static_cast<double>(bytes) / kBytesPerMegabyte;
  return three_digits_text(seconds > 0 ? megabytes / seconds : 0) + " MB/s";
}

std::string hex_text(std::byte byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = std::to_integer<std::size_t>(byte);
  return std::string("0x") + kDigits[value / kDigits.size()] + kDigits[value % kDigits.size()];
}

std::string preview(std::span<const std::byte> bytes) {
  constexpr std::size_t kShown = 16;
  std::string text = "\"";
  for (const std::byte byte : bytes.first(std::min(bytes.size(), kShown))) {
    text += escaped(byte);
  }
  return text + (bytes.size() > kShown ? "\"..." : "\"");
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    // U+0080 to U+009F are control characters for terminals too. This is their second UTF-8 byte.
    const bool is_c1 = line.ends_with('\xC2') && byte >= 0x80 && byte < 0xA0;
    if (byte < ' ' || byte == 0x7F || is_c1) {
      line += escaped(std::byte{byte});
    } else {
      line += character;
    }
  }
  return line;
}

std::string errno_text(int error) {
  return std::system_category().message(error);
}

std::chrono::nanoseconds median(std::vector<std::chrono::nanoseconds> values) {
  if (values.empty()) {
    return std::chrono::nanoseconds(0);
  }
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace echod::client
