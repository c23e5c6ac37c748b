#include "config/key_suggestion.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "config/config_keys.hpp"

namespace echod {

namespace {

// The number of letters to insert, remove, replace or swap with their neighbour that turns `from`
// into `to` (optimal string alignment).
std::size_t edit_distance(std::string_view from, std::string_view to) {
  const std::size_t width = to.size() + 1;
  std::vector<std::size_t> cells((from.size() + 1) * width);
  const auto cell = [&](std::size_t i, std::size_t j) -> std::size_t& {
    return cells[i * width + j];
  };
  for (std::size_t i = 0; i <= from.size(); ++i) {
    for (std::size_t j = 0; j <= to.size(); ++j) {
      if (i == 0 || j == 0) {
        cell(i, j) = i + j;
        continue;
      }
      const std::size_t replaced = cell(i - 1, j - 1) + (from[i - 1] == to[j - 1] ? 0 : 1);
      cell(i, j) = std::min({cell(i - 1, j) + 1, cell(i, j - 1) + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        cell(i, j) = std::min(cell(i, j), cell(i - 2, j - 2) + 1);
      }
    }
  }
  return cells.back();
}

// The edit distance from `name` to `known`. Nothing if it is larger than a third of the length of
// `known`; one edit is always allowed.
std::optional<std::size_t> distance(std::string_view name, std::string_view known) {
  const std::size_t allowed = std::max<std::size_t>(1, known.size() / 3);
  // A name from a file may be huge: compare only names of about the same length.
  if (name.size() > known.size() + allowed || known.size() > name.size() + allowed) {
    return std::nullopt;
  }
  const std::size_t edits = edit_distance(name, known);
  return edits <= allowed ? std::optional(edits) : std::nullopt;
}

// The nearest of all keys; of keys that are equally near, one of `section`. Null if none is near.
const Key* nearest_key(std::string_view section, std::string_view name) {
  const Key* nearest = nullptr;
  std::size_t least = 0;
  for (const Key& key : config_keys()) {
    const auto edits = distance(name, key.name);
    if (!edits) {
      continue;
    }
    const std::size_t rank = 2 * *edits + (key.section == section ? 0 : 1);
    if (nearest == nullptr || rank < least) {
      nearest = &key;
      least = rank;
    }
  }
  return nearest;
}

std::string known_sections() {
  return ", known sections are " + joined(config_sections());
}

std::string known_keys(std::string_view section) {
  std::vector<std::string_view> names;
  for (const Key& key : config_keys()) {
    if (key.section == section) {
      names.push_back(key.name);
    }
  }
  return ", known keys are " + joined(names);
}

}  // namespace

std::string unknown_key_text(std::string_view section, std::string_view name) {
  if (const Key* key = nearest_key(section, name)) {
    return "unknown key, did you mean " + key->dotted_name() + '?';
  }
  return "unknown key" + known_keys(section) +
         (section == kTopSection ? known_sections() : std::string());
}

std::string unknown_section_text(std::string_view name) {
  std::string_view nearest;
  std::size_t least = 0;
  for (const std::string_view section : config_sections()) {
    const auto edits = distance(name, section);
    if (edits && (nearest.empty() || *edits < least)) {
      nearest = section;
      least = *edits;
    }
  }
  if (!nearest.empty()) {
    return std::string("unknown section, did you mean ").append(nearest).append(1, '?');
  }
  return "unknown section" + known_sections();
}

}  // namespace echod
