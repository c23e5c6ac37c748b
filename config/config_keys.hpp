// The one table of all configuration keys: how each is written, where its value lives, what it may
// be, and whether a running daemon can take a new one. Reader, dump, error texts, reload, command
// line and the tests of the documentation all work from it: a new key is one new row.
// Thread-safety: constants, and functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config.hpp"
#include "key_type.hpp"
#include "toml_value.hpp"

namespace echod {

inline constexpr std::string_view kTopSection;  // Keys that stand before the first [section].
inline constexpr std::string_view kListenSection = "listen";  // The one that is an array.

enum class Reload : std::uint8_t { at_once, needs_restart };

// The way to a value in a Config; `entry` counts [[listen]] entries and means nothing elsewhere.
struct Member {
  Value (*get)(const Config& config, std::size_t entry);
  void (*set)(Config& config, std::size_t entry, const Value& valid);
};

struct Key {
  std::string_view section;
  std::string_view name;  // Ends in the unit.
  Allowed allowed;
  Reload reload;
  Member member;

  // "limits.open_files", or "workers" of the top.
  [[nodiscard]] std::string dotted_name() const;
};

// All keys, section by section, in the order in which they are documented and dumped.
[[nodiscard]] std::span<const Key> config_keys() noexcept;
// The sections in the same order, each once, without the top.
[[nodiscard]] std::vector<std::string_view> config_sections();
// Null if there is no such key.
[[nodiscard]] const Key* find_key(std::string_view section, std::string_view name) noexcept;

// Sets the key to `value` if the key takes it; else returns what is wrong and what is allowed.
[[nodiscard]] std::optional<std::string> assign(const Key& key, Config& config, const Value& value,
                                                std::size_t entry = 0);

// Of the keys that differ, those that a reload cannot apply, by dotted name; "listen" for anything
// about listeners.
[[nodiscard]] std::vector<std::string> keys_needing_restart(const Config& running,
                                                            const Config& wanted);

// What a reload makes of `running`: the values of `wanted`, except for those keys.
[[nodiscard]] Config reloaded(const Config& running, const Config& wanted);

}  // namespace echod
