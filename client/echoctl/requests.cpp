#include "client/echoctl/requests.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace echod::ctl {

namespace {

// All bytes except the unreserved ones are encoded (RFC 3986, section 2.3).
std::string encoded(std::string_view text) {
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  for (const char character : text) {
    if (kUnreserved.find(character) != std::string_view::npos) {
      result += character;
    } else {
      const auto byte = static_cast<unsigned char>(character);
      result += '%';
      result += kDigits[byte / kDigits.size()];
      result += kDigits[byte % kDigits.size()];
    }
  }
  return result;
}

// A target to which parameters are added.
class Target {
 public:
  explicit Target(std::string path) : text_(std::move(path)) {}

  Target& add(const char* name, const std::optional<std::string>& value) {
    if (value) {
      text_ += has_parameters_ ? '&' : '?';
      text_ += name;
      text_ += '=';
      text_ += encoded(*value);
      has_parameters_ = true;
    }
    return *this;
  }
  Target& add(const char* name, const std::optional<std::uint64_t>& value) {
    return add(name, value ? std::optional(std::to_string(*value)) : std::nullopt);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool has_parameters_ = false;
};

std::string connections_target(const Options& options) {
  return Target("/connections")
      .add("network", options.network)
      .add("state", options.state)
      .add("worker", options.worker)
      .add("sort", options.sort)
      .add("limit", options.limit)
      .add("offset", options.offset)
      .text();
}

std::string close_target(const Options& options) {
  return options.network ? Target("/connections").add("network", options.network).text()
                         : "/connections/" + encoded(options.connection_id);
}

std::string log_level_target(const Options& options) {
  const std::optional<std::string> level = options.level;
  const bool is_for_file = options.is_for_file || !options.is_for_stderr;
  return Target("/log-level")
      .add("file", is_for_file ? level : std::nullopt)
      .add("stderr", options.is_for_stderr ? level : std::nullopt)
      .text();
}

}  // namespace

Request request_for(const Options& options) {
  switch (options.command) {
    case Command::connections:
      return {.method = "GET", .target = connections_target(options)};
    case Command::close:
      return {.method = "DELETE", .target = close_target(options)};
    case Command::log_level:
      return options.level.empty() ? Request{.method = "GET", .target = kStatusTarget}
                                   : Request{.method = "POST", .target = log_level_target(options)};
    case Command::metrics:
      return {.method = "GET", .target = "/metrics"};
    case Command::health:
      return {.method = "GET", .target = "/healthz"};
    case Command::ready:
      return {.method = "GET", .target = "/readyz"};
    case Command::drain:
      return {.method = "POST", .target = "/drain"};
    case Command::upgrade:
      return {.method = "POST", .target = options.is_forced ? "/upgrade?force=true" : "/upgrade"};
    case Command::status:
    case Command::top:
      break;
  }
  return {.method = "GET", .target = kStatusTarget};
}

}  // namespace echod::ctl
