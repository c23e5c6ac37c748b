#include "config/config_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "config/config_keys.hpp"
#include "config/key_suggestion.hpp"
#include "config/listener_conflict.hpp"
#include "config/listener_text.hpp"
#include "config/spare_memory.hpp"
#include "config/syntax_error.hpp"
#include "config/unit_directory.hpp"

namespace echod {

namespace {

// toml++ makes a table for each dot in a key and destroys nested tables by recursion: 80 bytes of
// stack for a level in Debian's build of it. All dots are counted, because that is simple: 256
// listeners with IPv4 addresses have 768.
constexpr std::ptrdiff_t kMaxDots = 10'000;
constexpr std::size_t kMaxSyntaxErrorBytes = 200;

std::string_view compound_name(const toml::node& node) noexcept {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time";
    default:
      return "a date and time";
  }
}

// The value of a boolean, number or string; nothing for other TOML types.
std::optional<Value> value_of(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) {
    return flag->get();
  }
  if (const auto* integer = node.as_integer()) {
    return integer->get();
  }
  if (const auto* number = node.as_floating_point()) {
    return number->get();
  }
  if (const auto* text = node.as_string()) {
    return text->get();
  }
  return std::nullopt;
}

// "5 is an integer", or "is a table" for a type without a short text.
std::string found_text(const toml::node& node) {
  if (const auto value = value_of(node)) {
    return (value_text(*value, kShownBytes) + " is ").append(type_name(*value));
  }
  return std::string("is ").append(compound_name(node));
}

bool is_section_like(const toml::node& node) {
  const toml::array* array = node.as_array();
  return node.is_table() || (array != nullptr && array->is_array_of_tables());
}

// Converts a parsed file to a Config and collects all errors.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  // Throws ConfigErrors if there are errors.
  Config read(const toml::table& root);

 private:
  struct Error {
    toml::source_position where;
    std::string text;
  };

  void read_section(std::string_view section, const toml::node& node);
  void read_listeners(const toml::node& node);
  bool read_keys(std::string_view section, const toml::table& table, std::size_t entry);
  bool read_key(const Key& key, const toml::node& node, std::size_t entry);
  [[nodiscard]] bool refuses_what_a_path_excludes(const toml::table& table);
  void compare_listeners();
  [[nodiscard]] std::string conflict_of(std::size_t listener) const;
  void check_buffers(const toml::table& root);
  void report(const toml::source_region& where, const std::string& key, std::string_view what);
  [[nodiscard]] ConfigErrors sorted_errors();

  std::string file_;
  Config config_;
  std::vector<Error> errors_;
  std::vector<const toml::node*> listeners_;  // Null for an entry with an error.
};

Config Reader::read(const toml::table& root) {
  const std::vector<std::string_view> sections = config_sections();
  for (const auto& [key, node] : root) {
    const std::string_view name = key.str();
    if (const Key* known = find_key(kTopSection, name)) {
      (void)read_key(*known, node, 0);  // It reports its error itself.
    } else if (name == kListenSection) {
      read_listeners(node);
    } else if (std::find(sections.begin(), sections.end(), name) != sections.end()) {
      read_section(name, node);
    } else {
      report(key.source(), key_text(name),
             is_section_like(node) ? unknown_section_text(name) : unknown_key_text("", name));
    }
  }
  compare_listeners();
  check_buffers(root);
  if (!errors_.empty()) {
    throw sorted_errors();
  }
  return std::move(config_);
}

void Reader::read_section(std::string_view section, const toml::node& node) {
  const std::string name(section);
  if (const toml::table* table = node.as_table()) {
    (void)read_keys(section, *table, 0);  // It reports its errors itself.
  } else {
    report(node.source(), name, found_text(node) + " instead of a table; use one [" + name + ']');
  }
}

void Reader::read_listeners(const toml::node& node) {
  const std::string name(kListenSection);
  const toml::array* array = node.as_array();
  if (array == nullptr) {
    report(node.source(), name,
           found_text(node) + " instead of an array of tables; use [[listen]] entries");
    return;
  }
  if (array->empty() || array->size() > kMostListeners) {
    report(node.source(), name,
           "has " + std::to_string(array->size()) + " entries; use 1 to " +
               std::to_string(kMostListeners));
    return;
  }
  config_.listen.assign(array->size(), ListenConfig{});
  for (std::size_t entry = 0; entry < array->size(); ++entry) {
    const toml::node& element = (*array)[entry];
    const toml::table* table = element.as_table();
    if (table == nullptr) {
      report(element.source(), name,
             found_text(element) + " instead of a table; use [[listen]] entries");
    }
    bool is_good = table != nullptr && read_keys(name, *table, entry);
    if (is_good && config_.listen[entry].is_local()) {
      is_good = !refuses_what_a_path_excludes(*table);
    }
    listeners_.push_back(is_good ? &element : nullptr);
  }
}

// Returns whether there is such a key.
bool Reader::refuses_what_a_path_excludes(const toml::table& table) {
  bool is_any = false;
  for (const auto& [name, node] : table) {
    const Key* const key = find_key(kListenSection, name.str());
    if (key != nullptr && key->is_for_ip_only) {
      report(node.source(), key->dotted_name(),
             "is for IP addresses; with path, use backlog, mode, owner and group");
      is_any = true;
    }
  }
  return is_any;
}

// Returns whether the values of all known keys are valid.
bool Reader::read_keys(std::string_view section, const toml::table& table, std::size_t entry) {
  bool is_good = true;
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    if (const Key* known = find_key(section, name)) {
      is_good = read_key(*known, node, entry) && is_good;
    } else {
      report(key.source(), std::string(section).append(1, '.') + key_text(name),
             unknown_key_text(section, name));
    }
  }
  return is_good;
}

bool Reader::read_key(const Key& key, const toml::node& node, std::size_t entry) {
  auto value = value_of(node);
  const auto fault = value ? assign(key, config_, std::move(*value), entry)
                           : wrong_type_text(found_text(node), key.allowed);
  if (fault) {
    report(node.source(), key.dotted_name(), *fault);
  }
  return !fault;
}

void Reader::compare_listeners() {
  for (std::size_t entry = 0; entry < listeners_.size(); ++entry) {
    if (listeners_[entry] == nullptr) {
      continue;
    }
    if (const std::string conflict = conflict_of(entry); !conflict.empty()) {
      report(listeners_[entry]->source(), std::string(kListenSection),
             listener_text(config_.listen[entry]) + " cannot be opened beside " + conflict);
    }
  }
}

// What comes in the way of a listener, and why; empty if nothing does.
std::string Reader::conflict_of(std::size_t listener) const {
  const ListenConfig& later = config_.listen[listener];
  for (std::size_t earlier = 0; earlier < listener; ++earlier) {
    if (listeners_[earlier] == nullptr) {
      continue;
    }
    if (const auto conflict = listener_conflict(config_.listen[earlier], later)) {
      const toml::source_position where = listeners_[earlier]->source().begin;
      return listener_text(config_.listen[earlier]) + " (line " + std::to_string(where.line) +
             ", column " + std::to_string(where.column) + "): " + std::string(*conflict);
    }
  }
  if (later.is_local() && later.path == in_runtime_directory(config_.admin.socket)) {
    return "admin.socket: both have the same path; use another one";
  }
  const auto admin_address = parse_address(config_.admin.address, config_.admin.port);
  if (admin_address && listener_conflict({.address = *admin_address}, later)) {
    return "admin.address: both have the same port; change admin.port";
  }
  return "";
}

// A refused value has left the default, which is valid with every value of the other key.
void Reader::check_buffers(const toml::table& root) {
  const BuffersConfig& buffers = config_.buffers;
  const std::uint32_t least_mib = (buffers.per_connection_kib + 1023) / 1024;
  if (buffers.total_mib >= least_mib) {
    return;
  }
  const auto section = root["buffers"];
  const toml::node* node = section["total_mib"].node();
  node = node != nullptr ? node : section["per_connection_kib"].node();
  report(node->source(), "buffers.total_mib",
         std::to_string(buffers.total_mib) + " is smaller than one buffer (per_connection_kib = " +
             std::to_string(buffers.per_connection_kib) + "); use at least " +
             std::to_string(least_mib));
}

void Reader::report(const toml::source_region& where, const std::string& key,
                    std::string_view what) {
  errors_.push_back({where.begin, (key + ": ").append(what)});
}

std::string error_line(const std::string& file, std::size_t line, std::size_t column,
                       std::string_view text) {
  return (file + ':' + std::to_string(line) + ':' + std::to_string(column) + ": ").append(text);
}

ConfigErrors Reader::sorted_errors() {
  // The errors are in alphabetical order, because toml++ sorts the keys of a table.
  std::stable_sort(errors_.begin(), errors_.end(), [](const Error& left, const Error& right) {
    return std::tie(left.where.line, left.where.column) <
           std::tie(right.where.line, right.where.column);
  });
  std::vector<std::string> lines;
  for (const Error& error : errors_) {
    lines.push_back(error_line(file_, error.where.line, error.where.column, error.text));
  }
  return ConfigErrors(std::move(lines), ConfigErrors::Position::given);
}

// Line `number` of the text, counted from 1; empty if there is none.
std::string_view line_of(std::string_view text, std::size_t number) noexcept {
  for (; number > 1 && !text.empty(); --number) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return text.substr(0, text.find('\n'));
}

// Throws toml::parse_error.
toml::table parse_toml(std::string_view text) {
  const SpareMemory spare;
  try {
    toml::table table = toml::parse(text);
    spare.require_untouched();
    return table;
  } catch (const toml::parse_error&) {
    spare.require_untouched();
    throw;
  }
}

}  // namespace

Config parse_config(std::string_view text, const std::string& path) {
  const std::string name = shown_name(path);
  if (const auto dots = std::count(text.begin(), text.end(), '.'); dots > kMaxDots) {
    throw ConfigErrors({name + ": has " + std::to_string(dots) + " dots; use at most " +
                        std::to_string(kMaxDots) + ", so that tables cannot nest too deeply"},
                       ConfigErrors::Position::none);
  }
  try {
    return Reader(name).read(parse_toml(text));
  } catch (const toml::parse_error& error) {
    const toml::source_position where = error.source().begin;
    const std::string parser_words = one_line(error.description(), kMaxSyntaxErrorBytes);
    const std::string fault =
        "not TOML: " + syntax_error_text(line_of(text, where.line), where.column, parser_words);
    throw ConfigErrors({error_line(name, where.line, where.column, fault)},
                       ConfigErrors::Position::given);
  }
}

}  // namespace echod
