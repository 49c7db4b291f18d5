// Templates: booted guests that new VMs are copies of.
//
// They are made and used by Vm::create(), see StartFrom; this shows and removes them.
// They are a cache: whatever is removed is made again by the next start that needs it.
//
// The store is a directory private to the user: $GONDOLIN_TEMPLATE_STORE, else
// ${XDG_CACHE_HOME:-~/.cache}/gondolin/templates. Every call may be made from any thread
// and throws ApiError when it fails; several processes may use one store at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gondolin/export.hpp"
#include "gondolin/vm.hpp"

namespace gondolin {

// A template of the store.
struct TemplateInfo {
  std::string id;  // 64 hex digits
  // What it was booted from: SHA-256 of each, where they came from an image store.
  std::string kernel;
  std::string initramfs;                            // as above
  std::string root;                                 // as above
  Accelerator accelerator = Accelerator::kTcg;      // kKvm or kTcg
  unsigned memory_mib = 0;                          // of its VMs
  unsigned cpus = 0;                                // of its VMs
  std::uint64_t size = 0;                           // bytes on the disk
  std::chrono::system_clock::time_point last_used;  // by a VM that was started from it
};

// Every template, the one used last first.
[[nodiscard]] GONDOLIN_API std::vector<TemplateInfo> list_templates();

// Removes a template by its id or at least 6 digits of it and returns the bytes freed. A
// VM that was started from it does not notice. kNotFound when there is none.
GONDOLIN_API std::uint64_t remove_template(std::string_view id);

// Removes all of them.
GONDOLIN_API std::uint64_t remove_templates();

}  // namespace gondolin
