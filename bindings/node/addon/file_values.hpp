// What files are, as JavaScript has it: NativeFileInfo and NativeFileEntry of
// src/native.ts, in both directions.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "gondolin/fs.hpp"
#include "gondolin/vfs.hpp"
#include "values.hpp"

namespace gondolin::node {

[[nodiscard]] Napi::Value to_buffer(Napi::Env env, const std::string& bytes);

[[nodiscard]] Napi::Value to_js_info(Napi::Env env, const FileInfo& info);
[[nodiscard]] Napi::Value to_js_attributes(Napi::Env env, const VfsAttributes& attributes);
// kInvalidArgument for what is none.
[[nodiscard]] VfsAttributes read_attributes(Napi::Value value);

// [{ name, type }, ...]
[[nodiscard]] Napi::Value to_js_entries(Napi::Env env, const std::vector<FileEntry>& entries);
[[nodiscard]] std::vector<FileEntry> read_entries(Napi::Value value);

// { permissions, uid, gid, size, modifiedMs }, those that are to change.
[[nodiscard]] Napi::Value to_js_changes(Napi::Env env, const VfsChanges& changes);
[[nodiscard]] VfsChanges read_file_changes(const Properties& changes);

// { totalBytes, freeBytes }
[[nodiscard]] Napi::Value to_js_usage(Napi::Env env, const VfsUsage& usage);
[[nodiscard]] VfsUsage read_usage(Napi::Value value);

// { read, write, truncate, append }
[[nodiscard]] Napi::Value to_js_open(Napi::Env env, const VfsOpen& how);
[[nodiscard]] VfsOpen read_open(const Properties& how);

// 'replace', 'no-replace', 'exchange'
[[nodiscard]] const char* rename_name(VfsRename mode);
[[nodiscard]] VfsRename read_rename(const std::string& name);

}  // namespace gondolin::node
