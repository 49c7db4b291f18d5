// The public face of the template store.

#include "gondolin/template.hpp"

#include "api/convert.hpp"
#include "gondolin/error.hpp"
#include "vm/template_store.hpp"

namespace gondolin {
namespace {

vm::TemplateStore store() {
  auto directory = vm::TemplateStore::default_directory();
  if (!directory) {
    throw ApiError(ApiErrorCode::kUnavailable,
                   "no home directory to keep templates in: set GONDOLIN_TEMPLATE_STORE");
  }
  return vm::TemplateStore(std::move(*directory));
}

}  // namespace

std::vector<TemplateInfo> list_templates() {
  std::vector<TemplateInfo> templates;
  for (vm::TemplateInfo& each : store().list()) {
    templates.push_back({.id = std::move(each.id),
                         .kernel = std::move(each.kernel),
                         .initramfs = std::move(each.initramfs),
                         .root = std::move(each.root),
                         .accelerator = each.accelerator == vm::Accelerator::kKvm
                                            ? Accelerator::kKvm
                                            : Accelerator::kTcg,
                         .memory_mib = each.memory_mib,
                         .cpus = each.cpus,
                         .size = each.disk_bytes,
                         .last_used = each.last_used});
  }
  return templates;
}

std::uint64_t remove_template(std::string_view id) {
  return api::value_or_throw(store().remove(id));
}

std::uint64_t remove_templates() {
  const vm::TemplateStore templates = store();
  std::uint64_t freed = 0;
  for (const vm::TemplateInfo& each : templates.list())
    freed += api::value_or_throw(templates.remove(each.id));
  return freed;
}

}  // namespace gondolin
