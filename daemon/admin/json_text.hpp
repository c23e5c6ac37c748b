// Writes JSON (RFC 8259) into a string, front to back.
//
// nlohmann::json is not used, because it allocates memory when it frees a document: a shortage of
// memory would end the process.
//
// The caller must end what it begins, and write a key before each value in an object. Text that is
// not printable is changed by printable_utf8(). A number that JSON cannot express becomes null.
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
  bool is_first_ = true;  // The next value needs no comma: it comes after a bracket or a key.
};

}  // namespace echod
