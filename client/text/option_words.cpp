#include "client/text/option_words.hpp"

#include <algorithm>

namespace echod::client {

option option_entry(const char* name, bool takes_value, std::size_t index) {
  return {name, takes_value ? required_argument : no_argument, nullptr,
          kFirstOption + static_cast<int>(index)};
}

void add_last_entries(std::vector<option>& table) {
  table.push_back({"version", no_argument, nullptr, kVersionOption});
  table.push_back({"help", no_argument, nullptr, kHelpOption});
  table.push_back({});
}

std::span<char* const> handle_options(
    std::vector<char*>& arguments, const std::vector<option>& table,
    const std::function<bool(int found, const char* given)>& handle) {
  const auto count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  optind = 0;  // Restarts getopt_long(3), which tests call several times.
  for (;;) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet.
    const int found = getopt_long(count, arguments.data(), ":h", table.data(), nullptr);
    if (found == -1 ||
        !handle(found, arguments[static_cast<std::size_t>(std::max(1, optind)) - 1])) {
      break;
    }
  }
  return std::span(arguments)
      .first(static_cast<std::size_t>(count))
      .subspan(static_cast<std::size_t>(optind));
}

std::vector<char*> copied_arguments(int argc, const char* const* argv) {
  std::vector<char*> arguments;
  for (int i = 0; i < argc; ++i) {
    arguments.push_back(const_cast<char*>(argv[i]));  // NOLINT: getopt_long(3) only reorders them.
  }
  return arguments;
}

std::string wrong_option(int found, const std::string& given, std::string_view owner) {
  if (found == ':') {
    return given + " needs a value";
  }
  if (optopt >= kVersionOption) {
    return given.substr(0, given.find('=')) + " takes no value";
  }
  std::string text = "unknown option ";
  text += optopt == 0 ? given : std::string("-") + static_cast<char>(optopt);
  return text += owner;
}

std::string in_quotes(std::string_view text) {
  std::string quoted(1, '"');
  quoted += text;
  quoted += '"';
  return quoted;
}

}  // namespace echod::client
