// Fuzzes the command line of echod. The words are either refused with a one-line error, or make
// options that are valid.
#include "config/command_line.hpp"
#include "config/config_dump.hpp"
#include "config/config_errors.hpp"
#include "config/config_file.hpp"
#include "fuzz_target.hpp"

namespace echod::test {
namespace {

void require_final(const ParsedCommandLine& parsed) {
  constexpr int kUsage = 64;
  if (parsed.exit_code == kUsage) {
    require_usage_error(parsed.text, "echod");
    return;
  }
  require(parsed.exit_code == 0, "the exit code is 0 or 64");
  require(parsed.text.starts_with("echod ") && parsed.text.ends_with('\n'),
          "help and version name the program", parsed.text);
}

// The options were checked when they were parsed, so they must give a valid configuration now and
// at every reload.
void require_effective(CommandLine options) {
  require(!options.check_config || !options.dump_config, "a check and a dump exclude each other");
  require(options.config_file != "", "a configuration file has a name");
  try {
    Config config;
    override_config(config, options);
    require(config.listen.size() == 1, "the command line has one listener");
    require(config.listen.front().address.port() == options.port.value_or(kDefaultPort),
            "the port is the one given");
    require(config.log.file == options.log_file.value_or(LogConfig{}.file),
            "the log is the one given", config.log.file);
    const std::string dump = dump_config(config);
    require(parse_config(dump, "dump") == config, "a dump holds the same configuration", dump);
  } catch (const ConfigErrors& errors) {
    require(false, "accepted options are valid", errors.what());
  }
}

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace echod;
  const test::FuzzArguments arguments("echod", {data, size});
  const ParsedCommandLine parsed = parse_command_line(arguments.count(), arguments.pointers());
  if (parsed.is_final) {
    test::require_final(parsed);
  } else {
    test::require_effective(parsed.options);
  }
  return 0;
}
