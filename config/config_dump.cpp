#include "config/config_dump.hpp"

#include "config/config_keys.hpp"

namespace echod {

namespace {

std::string header(std::string_view section) {
  const bool is_listener = section == kListenSection;
  return std::string(is_listener ? "\n[[" : "\n[").append(section) + (is_listener ? "]]\n" : "]\n");
}

std::string keys_text(std::string_view section, const Config& config, std::size_t entry) {
  std::string text;
  for (const Key& key : config_keys()) {
    if (key.section == section && has_meaning_for(key, config, entry)) {
      text.append(key.name).append(" = ") += value_text(key.member.get(config, entry)) + '\n';
    }
  }
  return text;
}

}  // namespace

std::string dump_config(const Config& config) {
  std::string text = "# The effective configuration of echod. echod.toml(5) explains the keys.\n\n";
  text += keys_text(kTopSection, config, 0);
  for (const std::string_view section : config_sections()) {
    const std::size_t entries = section == kListenSection ? config.listen.size() : 1;
    for (std::size_t entry = 0; entry < entries; ++entry) {
      text += header(section) + keys_text(section, config, entry);
    }
  }
  return text;
}

}  // namespace echod
