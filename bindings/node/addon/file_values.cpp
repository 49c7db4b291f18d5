#include "file_values.hpp"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "gondolin/error.hpp"

namespace gondolin::node {
namespace {

// The largest integer that a number of JavaScript's is sure to hold.
constexpr std::int64_t kMost = (std::int64_t{1} << 53) - 1;
constexpr std::int64_t kMaxId = std::numeric_limits<std::uint32_t>::max();

using TypeName = std::pair<FileType, const char*>;
constexpr std::array kTypes{
    TypeName{FileType::kFile, "file"}, TypeName{FileType::kDirectory, "directory"},
    TypeName{FileType::kSymlink, "symlink"}, TypeName{FileType::kOther, "other"}};

using RenameName = std::pair<VfsRename, const char*>;
constexpr std::array kRenames{RenameName{VfsRename::kReplace, "replace"},
                              RenameName{VfsRename::kNoReplace, "no-replace"},
                              RenameName{VfsRename::kExchange, "exchange"}};

template <typename Table, typename Value>
const char* name_in(const Table& table, Value value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return table.back().second;
}

template <typename Table>
auto value_in(const Table& table, const std::string& name) {
  for (const auto& [value, known] : table) {
    if (name == known) return value;
  }
  throw ApiError(ApiErrorCode::kInvalidArgument, "there is no '" + name + "'");
}

double to_ms(VfsTime time) {
  const std::chrono::duration<double, std::milli> since = time.time_since_epoch();
  return since.count();
}

VfsTime from_ms(double ms) {
  if (!(std::abs(ms) < static_cast<double>(kMost) / 1e3)) {
    throw ApiError(ApiErrorCode::kInvalidArgument, "a time of a file must be milliseconds");
  }
  return VfsTime(std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double, std::milli>(ms)));
}

std::optional<std::uint32_t> id_in(const Properties& properties, const char* name) {
  const auto value = properties.integer(name, 0, kMaxId);
  return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

std::uint64_t size_in(const Properties& properties, const char* name) {
  return static_cast<std::uint64_t>(properties.integer(name, 0, kMost).value_or(0));
}

Napi::Value number(Napi::Env env, std::uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

Properties properties_of(Napi::Value value, const char* what) {
  if (!value.IsObject()) {
    throw ApiError(ApiErrorCode::kInvalidArgument, std::string(what) + " must be an object");
  }
  return Properties(value.As<Napi::Object>());
}

}  // namespace

Napi::Value to_buffer(Napi::Env env, const std::string& bytes) {
  return Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size());
}

Napi::Value to_js_info(Napi::Env env, const FileInfo& info) {
  return to_js_attributes(env, {.type = info.type,
                                .permissions = info.permissions,
                                .uid = info.uid,
                                .gid = info.gid,
                                .size = info.size,
                                .modified = info.modified});
}

Napi::Value to_js_attributes(Napi::Env env, const VfsAttributes& attributes) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("type", name_in(kTypes, attributes.type));
  object.Set("permissions", number(env, attributes.permissions));
  object.Set("uid", number(env, attributes.uid));
  object.Set("gid", number(env, attributes.gid));
  object.Set("size", number(env, attributes.size));
  object.Set("modifiedMs", Napi::Number::New(env, to_ms(attributes.modified)));
  return object;
}

VfsAttributes read_attributes(Napi::Value value) {
  const Properties properties = properties_of(value, "what is known of a file");
  VfsAttributes attributes;
  attributes.type = value_in(kTypes, properties.text("type").value_or(""));
  attributes.permissions = id_in(properties, "permissions").value_or(0);
  attributes.uid = id_in(properties, "uid").value_or(0);
  attributes.gid = id_in(properties, "gid").value_or(0);
  attributes.size = size_in(properties, "size");
  attributes.modified = from_ms(properties.number("modifiedMs").value_or(0));
  return attributes;
}

Napi::Value to_js_entries(Napi::Env env, const std::vector<FileEntry>& entries) {
  Napi::Array array = Napi::Array::New(env, entries.size());
  std::uint32_t next = 0;
  for (const FileEntry& entry : entries) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", entry.name);
    object.Set("type", name_in(kTypes, entry.type));
    array.Set(next++, object);
  }
  return array;
}

std::vector<FileEntry> read_entries(Napi::Value value) {
  if (!value.IsArray()) {
    throw ApiError(ApiErrorCode::kInvalidArgument, "the names in a directory must be an array");
  }
  const auto array = value.As<Napi::Array>();
  std::vector<FileEntry> entries;
  entries.reserve(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Properties entry = properties_of(array.Get(i), "a name in a directory");
    entries.push_back({.name = entry.text("name").value_or(""),
                       .type = value_in(kTypes, entry.text("type").value_or(""))});
  }
  return entries;
}

Napi::Value to_js_changes(Napi::Env env, const VfsChanges& changes) {
  Napi::Object object = Napi::Object::New(env);
  if (changes.permissions) object.Set("permissions", number(env, *changes.permissions));
  if (changes.uid) object.Set("uid", number(env, *changes.uid));
  if (changes.gid) object.Set("gid", number(env, *changes.gid));
  if (changes.size) object.Set("size", number(env, *changes.size));
  if (changes.modified) {
    object.Set("modifiedMs", Napi::Number::New(env, to_ms(*changes.modified)));
  }
  return object;
}

VfsChanges read_file_changes(const Properties& changes) {
  VfsChanges read;
  read.permissions = id_in(changes, "permissions");
  read.uid = id_in(changes, "uid");
  read.gid = id_in(changes, "gid");
  if (auto size = changes.integer("size", 0, kMost)) read.size = static_cast<std::uint64_t>(*size);
  if (auto modified = changes.number("modifiedMs")) read.modified = from_ms(*modified);
  return read;
}

Napi::Value to_js_usage(Napi::Env env, const VfsUsage& usage) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("totalBytes", number(env, usage.total_bytes));
  object.Set("freeBytes", number(env, usage.free_bytes));
  return object;
}

VfsUsage read_usage(Napi::Value value) {
  const Properties properties = properties_of(value, "what is used");
  return {.total_bytes = size_in(properties, "totalBytes"),
          .free_bytes = size_in(properties, "freeBytes")};
}

Napi::Value to_js_open(Napi::Env env, const VfsOpen& how) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("read", Napi::Boolean::New(env, how.read));
  object.Set("write", Napi::Boolean::New(env, how.write));
  object.Set("truncate", Napi::Boolean::New(env, how.truncate));
  object.Set("append", Napi::Boolean::New(env, how.append));
  return object;
}

VfsOpen read_open(const Properties& how) {
  return {.read = how.flag("read").value_or(false),
          .write = how.flag("write").value_or(false),
          .truncate = how.flag("truncate").value_or(false),
          .append = how.flag("append").value_or(false)};
}

const char* rename_name(VfsRename mode) {
  return name_in(kRenames, mode);
}

VfsRename read_rename(const std::string& name) {
  return value_in(kRenames, name);
}

}  // namespace gondolin::node
