// A library for LD_PRELOAD that replaces getaddrinfo(3): every name resolves to the addresses in
// $ECHOD_NAMED_ADDRESSES, separated by commas, in that order.
#include <dlfcn.h>
#include <netdb.h>

#include <cstdlib>
#include <sstream>
#include <string>

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name, concurrency-mt-unsafe)
extern "C" int getaddrinfo(const char* /*name*/, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  const auto original = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const char* const listed = std::getenv("ECHOD_NAMED_ADDRESSES");
  std::istringstream addresses(listed == nullptr ? "" : listed);
  addrinfo** end = found;
  for (std::string address; std::getline(addresses, address, ',');) {
    if (const int status = original(address.c_str(), service, hints, end); status != 0) {
      return status;
    }
    while (*end != nullptr) {
      end = &(*end)->ai_next;
    }
  }
  return end == found ? EAI_NONAME : 0;
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name, concurrency-mt-unsafe)
