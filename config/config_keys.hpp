// The table of all configuration keys: the name of each key, its allowed values, its member in
// Config, and how a reload applies it.
//
// The reader, the dump, error texts, reload, the command line and the tests of the documentation
// use this table. CONTRIBUTING.md says what else a new key needs.
//
// Thread-safety: constants, and functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/key_type.hpp"
#include "config/toml_value.hpp"

namespace echod {

inline constexpr std::string_view kTopSection;                // Keys before the first [section].
inline constexpr std::string_view kListenSection = "listen";  // An array: [[listen]].

// How a reload applies a changed key: in the running process, or by an upgrade in place
// (docs/upgrade.md). Neither closes a connection.
enum class Reload : std::uint8_t { at_once, by_upgrade };

// Reads and writes a key's value in a Config. `entry` is the index of a [[listen]] entry; other
// keys ignore it. set() requires an allowed value.
struct Member {
  Value (*get)(const Config& config, std::size_t entry);
  void (*set)(Config& config, std::size_t entry, const Value& valid);
};

struct Key {
  std::string_view section;
  std::string_view name;  // Ends in the unit, if there is one.
  Allowed allowed;
  Reload reload;
  Member member;
  bool is_for_ip_only = false;  // A key of [[listen]] that a UNIX socket must not have.

  // "limits.open_files", or "workers" for a key of the top section.
  [[nodiscard]] std::string dotted_name() const;
};

// All keys, grouped by section, in the order of the documentation and of a dump.
[[nodiscard]] std::span<const Key> config_keys() noexcept;
// The names of the sections in the same order, without the top section.
[[nodiscard]] std::vector<std::string_view> config_sections();
// Returns nullptr if there is no such key.
[[nodiscard]] const Key* find_key(std::string_view section, std::string_view name) noexcept;

// Whether the key has a meaning for the [[listen]] entry number `entry`. True for the keys of all
// other sections.
[[nodiscard]] bool has_meaning_for(const Key& key, const Config& config,
                                   std::size_t entry) noexcept;

// Sets the key to `value` and returns nothing if the value is allowed. Else changes nothing and
// returns an error text that names the allowed values.
[[nodiscard]] std::optional<std::string> assign(const Key& key, Config& config, Value value,
                                                std::size_t entry = 0);

// The dotted names of the keys that differ and that only an upgrade applies. All differences in
// listeners are one entry, "listen".
[[nodiscard]] std::vector<std::string> keys_needing_upgrade(const Config& running,
                                                            const Config& wanted);

// `running` with the values in `wanted` of all keys that a reload applies in the running process.
[[nodiscard]] Config reloaded(const Config& running, const Config& wanted);

}  // namespace echod
