#include "values.hpp"

#include <algorithm>
#include <cmath>

#include "gondolin/error.hpp"

namespace gondolin::node {
namespace {

[[noreturn]] void invalid(std::string_view name, const std::string& rule) {
  throw ApiError(ApiErrorCode::kInvalidArgument, std::string(name) + " must be " + rule);
}

}  // namespace

Napi::String to_byte_string(Napi::Env env, std::string_view bytes) {
  napi_value value = nullptr;
  const napi_status status = napi_create_string_latin1(env, bytes.data(), bytes.size(), &value);
  if (status != napi_ok) throw Napi::Error::New(env);
  return {env, value};
}

std::string from_byte_string(Napi::Value value, std::string_view name) {
  if (!value.IsString()) invalid(name, "a string");
  const std::u16string wide = value.As<Napi::String>().Utf16Value();
  if (std::ranges::any_of(wide, [](char16_t c) { return c > 0xFF; })) {
    invalid(name, "free of characters beyond U+00FF");
  }
  std::string bytes(wide.size(), '\0');
  std::ranges::transform(wide, bytes.begin(), [](char16_t c) { return static_cast<char>(c); });
  return bytes;
}

std::string read_bytes(Napi::Value value, std::string_view name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    invalid(name, "a Uint8Array");
  }
  auto array = value.As<Napi::Uint8Array>();
  return std::string(reinterpret_cast<const char*>(array.Data()), array.ByteLength());
}

Napi::Value Properties::find(const char* name) const {
  Napi::Value value = object_.Get(name);
  return value.IsUndefined() || value.IsNull() ? Napi::Value() : value;
}

std::optional<std::string> Properties::text(const char* name) const {
  Napi::Value value = find(name);
  if (value.IsEmpty()) return std::nullopt;
  if (!value.IsString()) invalid(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

std::optional<std::string> Properties::byte_string(const char* name) const {
  Napi::Value value = find(name);
  if (value.IsEmpty()) return std::nullopt;
  return from_byte_string(value, name);
}

std::optional<bool> Properties::flag(const char* name) const {
  Napi::Value value = find(name);
  if (value.IsEmpty()) return std::nullopt;
  if (!value.IsBoolean()) invalid(name, "true or false");
  return value.As<Napi::Boolean>().Value();
}

std::optional<std::int64_t> Properties::integer(const char* name, std::int64_t low,
                                                std::int64_t high) const {
  Napi::Value value = find(name);
  if (value.IsEmpty()) return std::nullopt;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high)) ||
      std::trunc(number) != number) {
    invalid(name, "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<std::int64_t>(number);
}

std::optional<double> Properties::number(const char* name) const {
  Napi::Value value = find(name);
  if (value.IsEmpty()) return std::nullopt;
  if (!value.IsNumber()) invalid(name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

std::vector<std::string> Properties::texts(const char* name) const {
  std::vector<std::string> texts;
  std::optional<Napi::Array> found = array(name);
  if (!found) return texts;
  for (std::uint32_t i = 0; i < found->Length(); ++i) {
    Napi::Value value = found->Get(i);
    if (!value.IsString()) invalid(name, "an array of strings");
    texts.push_back(value.As<Napi::String>().Utf8Value());
  }
  return texts;
}

std::optional<Napi::Function> Properties::function(const char* name) const {
  Napi::Value value = find(name);
  if (value.IsEmpty()) return std::nullopt;
  if (!value.IsFunction()) invalid(name, "a function");
  return value.As<Napi::Function>();
}

std::optional<Napi::Object> Properties::object(const char* name) const {
  Napi::Value value = find(name);
  if (value.IsEmpty()) return std::nullopt;
  if (!value.IsObject()) invalid(name, "an object");
  return value.As<Napi::Object>();
}

std::optional<Napi::Array> Properties::array(const char* name) const {
  Napi::Value value = find(name);
  if (value.IsEmpty()) return std::nullopt;
  if (!value.IsArray()) invalid(name, "an array");
  return value.As<Napi::Array>();
}

std::optional<std::string> Properties::bytes(const char* name) const {
  Napi::Value value = find(name);
  if (value.IsEmpty()) return std::nullopt;
  return read_bytes(value, name);
}

}  // namespace gondolin::node
