#include "sys/kernel_setting.hpp"

#include <fstream>

namespace echod::sys {

std::uint64_t kernel_setting(const std::string& name, std::uint64_t otherwise) {
  std::uint64_t number = 0;
  return std::ifstream("/proc/sys/" + name) >> number ? number : otherwise;
}

}  // namespace echod::sys
