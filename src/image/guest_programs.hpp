// Our part of an image: the programs that run in the guest, and the initramfs
// segments made of them and of the kernel's modules.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gondolin::image {

inline constexpr std::string_view kGuestPrograms[] = {"init", "sandboxd", "sandboxfs",
                                                      "sandboxingress", "sandboxmounts"};

// The content of each program by its name.
using GuestPrograms = std::map<std::string, std::string>;

// kNotFound names the program that is missing and where it was looked for.
[[nodiscard]] Result<GuestPrograms> read_guest_programs(const std::filesystem::path& directory);

// The SHA-256 of each program.
[[nodiscard]] std::map<std::string, std::string> digests(const GuestPrograms& programs);

// /init and /gondolin/NAME, to follow the segment of the modules. Those with the same
// content, as ours have, are one file.
[[nodiscard]] std::string guest_segment(const GuestPrograms& programs);

// A module's name and the content of its file.
using Module = std::pair<std::string, std::string>;

// /gondolin/modules/NAME.ko and /gondolin/modules.order, in the order given.
[[nodiscard]] std::string module_segment(const std::vector<Module>& modules);

}  // namespace gondolin::image
