#include "image/guest_programs.hpp"

#include "image/cpio.hpp"
#include "image/files.hpp"
#include "image/kernel.hpp"
#include "image/sha256.hpp"

namespace gondolin::image {

Result<GuestPrograms> read_guest_programs(const std::filesystem::path& directory) {
  GuestPrograms programs;
  for (const std::string_view name : kGuestPrograms) {
    auto content = read_file(directory / name);
    if (!content && content.error().code == ErrorCode::kNotFound) {
      return fail(ErrorCode::kNotFound, "the guest program " + std::string(name) + " is not in " +
                                            directory.string() +
                                            " (GONDOLIN_GUEST_DIR says where they are)");
    }
    if (!content) return tl::unexpected(content.error());
    programs.emplace(name, std::move(*content));
  }
  return programs;
}

std::map<std::string, std::string> digests(const GuestPrograms& programs) {
  std::map<std::string, std::string> result;
  for (const auto& [name, content] : programs)
    result.emplace(name, sha256(as_bytes(content)));
  return result;
}

std::string guest_segment(const GuestPrograms& programs) {
  std::map<std::string_view, std::vector<std::string>> names;  // by content
  for (const auto& [name, content] : programs)
    names[content].push_back(name == "init" ? name : "gondolin/" + name);
  CpioWriter archive;
  for (const auto& [content, paths] : names)
    archive.add_links(paths, 0755, content);
  return archive.finish();
}

std::string module_segment(const std::vector<Module>& modules) {
  CpioWriter archive;
  std::string order;
  archive.add_directory("gondolin");
  archive.add_directory("gondolin/modules");
  for (const auto& [name, content] : modules) {
    archive.add_file("gondolin/modules/" + name + ".ko", 0644, without_signature(content));
    order += name + "\n";
  }
  archive.add_file("gondolin/modules.order", 0644, order);
  return archive.finish();
}

}  // namespace gondolin::image
