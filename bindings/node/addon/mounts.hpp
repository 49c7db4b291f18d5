// The mounts of a VM, as src/mounts.ts gives them.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "environment.hpp"
#include "gondolin/vfs.hpp"
#include "js_provider.hpp"

namespace gondolin::node {

// Somewhere in the guest, and what is to be there: a provider, or else a directory of this
// machine, which is yet to be opened.
struct NewMount {
  std::string path;
  VfsAccess access = VfsAccess::kReadWrite;
  std::shared_ptr<VfsProvider> provider{};
  std::string directory{};
};

// The providers of one VM that are JavaScript's. Any thread.
using JsProviders = std::vector<std::shared_ptr<JsProvider>>;

struct NewMounts {
  std::vector<NewMount> mounts;
  JsProviders js_providers;
};

// Of `options`, mounts: an array of { path, readOnly } with a `provider` (a NativeProvider),
// a `directory`, or a function `call` that `kept` keeps.
[[nodiscard]] NewMounts keep_mounts(KeptFunctions& kept, Napi::Object options);

// Opens what is yet to be opened. Blocks.
[[nodiscard]] std::vector<VfsMount> open_mounts(const std::vector<NewMount>& mounts);

}  // namespace gondolin::node
