#include "config/user_id.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <vector>

#include "config/net/parse_number.hpp"

namespace echod {

namespace {

constexpr std::size_t kUsualEntryBytes = std::size_t{16} * 1024;
constexpr std::size_t kMostEntryBytes = std::size_t{16} * 1024 * 1024;

// Calls getpwnam_r(3) or getgrnam_r(3), which say with ERANGE that the entry needs more memory.
template <typename Entry>
const Entry* entry_named(const std::string& name, Entry& entry, std::vector<char>& memory,
                         int (*find)(const char*, Entry*, char*, std::size_t, Entry**)) {
  for (std::size_t bytes = kUsualEntryBytes; bytes <= kMostEntryBytes; bytes *= 4) {
    memory.resize(bytes);
    Entry* found = nullptr;
    if (find(name.c_str(), &entry, memory.data(), memory.size(), &found) != ERANGE) {
      return found;
    }
  }
  return nullptr;
}

bool is_number(const std::string& text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char letter) { return std::isdigit(letter) != 0; });
}

}  // namespace

// chown(2) takes the largest number for "leave it as it is".
std::optional<std::uint32_t> parse_id(const std::string& text) noexcept {
  const auto number = parse_number<std::uint32_t>(text);
  return number == UINT32_MAX ? std::nullopt : number;
}

std::optional<std::uint32_t> user_id(const std::string& text) {
  if (is_number(text)) {
    return parse_id(text);
  }
  passwd entry{};
  std::vector<char> memory;
  const passwd* const user = entry_named(text, entry, memory, &getpwnam_r);
  return user != nullptr ? std::optional(user->pw_uid) : std::nullopt;
}

std::optional<std::uint32_t> group_id(const std::string& text) {
  if (is_number(text)) {
    return parse_id(text);
  }
  group entry{};
  std::vector<char> memory;
  const group* const found = entry_named(text, entry, memory, &getgrnam_r);
  return found != nullptr ? std::optional(found->gr_gid) : std::nullopt;
}

}  // namespace echod
