#include "mounts.hpp"

#include <cstdint>
#include <optional>

#include "provider.hpp"
#include "values.hpp"

namespace gondolin::node {

NewMounts keep_mounts(KeptFunctions& kept, Napi::Object options) {
  NewMounts all;
  const std::optional<Napi::Array> array = Properties(options).array("mounts");
  for (std::uint32_t i = 0; array && i < array->Length(); ++i) {
    const Properties properties(array->Get(i).As<Napi::Object>());
    NewMount mount{.path = properties.text("path").value_or(""),
                   .access = properties.flag("readOnly").value_or(false) ? VfsAccess::kReadOnly
                                                                         : VfsAccess::kReadWrite};
    if (auto provider = properties.object("provider")) {
      mount.provider = ProviderObject::provider_of(*provider);
    } else if (auto call = properties.function("call")) {
      all.js_providers.push_back(std::make_shared<JsProvider>(kept.keep(*call)));
      mount.provider = all.js_providers.back();
    } else {
      mount.directory = properties.text("directory").value_or("");
    }
    all.mounts.push_back(std::move(mount));
  }
  return all;
}

std::vector<VfsMount> open_mounts(const std::vector<NewMount>& mounts) {
  std::vector<VfsMount> opened;
  for (const NewMount& mount : mounts) {
    opened.push_back({.path = mount.path,
                      .provider = mount.provider ? mount.provider
                                                 : std::make_shared<HostDirectory>(mount.directory,
                                                                                   mount.access),
                      .access = mount.access});
  }
  return opened;
}

}  // namespace gondolin::node
