#include "service/running_config.hpp"

#include <utility>

#include "config/toml_value.hpp"
#include "service/config_source.hpp"

namespace echod {

RunningConfig running_config(CommandLine options, Config config, const Capacity& capacity) {
  ConnectionLimit limit = capacity.limit_for(config);
  return {std::move(options), std::move(config), std::move(limit)};
}

std::string config_name(const CommandLine& options) {
  return options.config_file ? shown_name(*options.config_file)
                             : std::string("built-in defaults, no ") + kDefaultConfigFile;
}

}  // namespace echod
