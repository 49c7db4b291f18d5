// JavaScript values from C++'s and back, strictly: a value of another kind than asked for
// is an ApiError (kInvalidArgument) that names it.
//
// Bytes of HTTP messages are strings of characters up to U+00FF, a byte each, as Node's
// own http module has them.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gondolin::node {

// A string of one character for each byte.
[[nodiscard]] Napi::String to_byte_string(Napi::Env env, std::string_view bytes);

// The reverse. kInvalidArgument for a character beyond U+00FF; `name` is what to call it.
[[nodiscard]] std::string from_byte_string(Napi::Value value, std::string_view name);

// A Uint8Array's bytes.
[[nodiscard]] std::string read_bytes(Napi::Value value, std::string_view name);

// The properties of an object; those that are undefined or null are absent.
class Properties {
 public:
  explicit Properties(Napi::Object object) : object_(object) {}

  [[nodiscard]] std::optional<std::string> text(const char* name) const;
  [[nodiscard]] std::optional<std::string> byte_string(const char* name) const;
  [[nodiscard]] std::optional<bool> flag(const char* name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(const char* name, std::int64_t low,
                                                    std::int64_t high) const;
  [[nodiscard]] std::optional<double> number(const char* name) const;
  [[nodiscard]] std::vector<std::string> texts(const char* name) const;
  [[nodiscard]] std::optional<Napi::Function> function(const char* name) const;
  [[nodiscard]] std::optional<Napi::Object> object(const char* name) const;
  [[nodiscard]] std::optional<Napi::Array> array(const char* name) const;
  [[nodiscard]] std::optional<std::string> bytes(const char* name) const;

 private:
  // Empty for one that is absent.
  [[nodiscard]] Napi::Value find(const char* name) const;

  Napi::Object object_;
};

}  // namespace gondolin::node
