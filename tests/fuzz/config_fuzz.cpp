// Fuzzes the configuration file. A text is either refused, with one line and a position for each
// error, or gives a configuration that a dump contains completely.
#include <charconv>

#include "config/config_dump.hpp"
#include "config/config_errors.hpp"
#include "config/config_file.hpp"
#include "config/config_keys.hpp"
#include "config/toml_value.hpp"
#include "fuzz_target.hpp"

namespace echod::test {
namespace {

// Removes "NUMBER:" from the front of the text; returns the number.
std::size_t take_number(std::string_view& text) {
  std::size_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  require(error == std::errc{} && text.starts_with(':'), "an error has line and column", text);
  text.remove_prefix(1);
  return number;
}

// An error is "fuzz.toml:3:1: limits.max_conections: unknown key, ...", and `text` has that line.
void require_error_line(std::string_view line, std::string_view text) {
  constexpr std::string_view kFile = "fuzz.toml:";
  const auto lines = 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  require(is_one_line(line) && is_utf8(line), "an error is one line", line);
  require(line.starts_with(kFile), "an error names the file", line);
  std::string_view rest = line.substr(kFile.size());
  const std::size_t number = take_number(rest);
  require(number >= 1 && number <= lines, "an error is on a line of the file", line);
  require(take_number(rest) >= 1, "an error is in a column", line);
  require(rest.size() > 1 && rest.starts_with(' '), "an error says what is wrong", line);
}

void require_same_when_dumped(const Config& config) {
  const std::string dump = dump_config(config);
  try {
    require(parse_config(dump, "dump") == config, "a dump holds the same configuration", dump);
  } catch (const ConfigErrors& errors) {
    require(false, "a dump is valid", errors.what() + ("\n" + dump));
  }
}

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace echod;
  const std::string text = test::FuzzInput(data, size).rest();
  try {
    const Config config = parse_config(text, "fuzz.toml");
    test::require_same_when_dumped(config);
    const Config running;
    const Config now = reloaded(running, config);
    test::require_same_when_dumped(now);
    test::require(keys_needing_upgrade(now, config) == keys_needing_upgrade(running, config),
                  "a reload applies all but what it says", text);
  } catch (const ConfigErrors& errors) {
    test::require(errors.have_positions(), "errors begin with positions", errors.what());
    test::require(!errors.lines().empty(), "a refusal has a reason");
    for (const std::string& line : errors.lines()) {
      test::require_error_line(line, text);
    }
  }
  return 0;
}
