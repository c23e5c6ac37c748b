#include "config_dump.hpp"

#include "config_keys.hpp"

namespace echod {

namespace {

std::string section_text(std::string_view section, const Config& config, std::size_t entry) {
  const bool is_listener = section == kListenSection;
  std::string text = is_listener ? "\n[[" : "\n[";
  text.append(section).append(is_listener ? "]]\n" : "]\n");
  for (const Key& key : config_keys()) {
    if (key.section == section) {
      text.append(key.name).append(" = ") += value_text(key.member.get(config, entry)) + '\n';
    }
  }
  return text;
}

}  // namespace

std::string dump_config(const Config& config) {
  std::string text = "# The effective configuration of echod. echod.toml(5) explains the keys.\n";
  for (const std::string_view section : config_sections()) {
    const std::size_t entries = section == kListenSection ? config.listen.size() : 1;
    for (std::size_t entry = 0; entry < entries; ++entry) {
      text += section_text(section, config, entry);
    }
  }
  return text;
}

}  // namespace echod
