// Writes JSON (RFC 8259) into a string, front to back.
//
// It takes the place of a library that keeps a document in memory: nlohmann::json allocates when it
// frees a document, so a shortage of memory would end the process.
//
// The caller balances begin and end, and writes a key before each value in an object. Text that is
// not printable UTF-8 is changed as printable_utf8() does; a number that JSON cannot express is
// null.
//
// Thread-safety: none. Never blocks. All functions may throw std::bad_alloc.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace echod {

class JsonText {
 public:
  JsonText& begin_object() { return begin('{'); }
  JsonText& end_object() { return end('}'); }
  JsonText& begin_array() { return begin('['); }
  JsonText& end_array() { return end(']'); }

  JsonText& key(std::string_view name);
  JsonText& null() { return raw("null"); }
  // A bool, a number or a text.
  template <typename Value>
  JsonText& value(const Value& value) {
    if constexpr (std::is_same_v<Value, bool>) {
      return raw(value ? "true" : "false");
    } else if constexpr (std::is_integral_v<Value>) {
      return raw(std::to_string(value));
    } else if constexpr (std::is_floating_point_v<Value>) {
      return real(value);
    } else {
      return text(value);
    }
  }
  template <typename Value>
  JsonText& member(std::string_view name, const Value& its_value) {
    return key(name).value(its_value);
  }

  // The document, and a newline.
  [[nodiscard]] std::string take();

 private:
  JsonText& begin(char bracket);
  JsonText& end(char bracket);
  JsonText& raw(std::string_view value);
  JsonText& real(double value);
  JsonText& text(std::string_view value);
  void separate();

  std::string text_;
  bool is_first_ = true;  // The next item needs no comma before it.
};

}  // namespace echod
