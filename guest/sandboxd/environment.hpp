// Where a program is looked for and which variables it gets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/control.hpp"

namespace gondolin::guest {

// The guest's defaults (PATH, HOME, USER, LOGNAME, SHELL, LANG; TERM on a terminal) with
// `spawn.environment` over them, each name once.
[[nodiscard]] std::vector<std::string> environment_for(const wire::Spawn& spawn);

// The value of `name` in `environment`, empty when it is not there.
[[nodiscard]] std::string_view variable(const std::vector<std::string>& environment,
                                        std::string_view name);

// The paths to try for `command`, in order: itself when it has a slash, otherwise in
// each directory of `path` (PATH; an empty element is the working directory).
[[nodiscard]] std::vector<std::string> candidates_for(const std::string& command,
                                                      std::string_view path);

}  // namespace gondolin::guest
