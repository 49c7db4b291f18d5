// Which names decide what file a path leads to: those of the links on its way, and the
// one where it ends. Whoever watches a file watches all of them: a new target of any link
// is a new file.
#pragma once

#include <filesystem>
#include <vector>

namespace gondolin {

// `file`, which is absolute, first; then each link on the way, and what they lead to,
// whether it exists or not. A loop of links ends the list.
[[nodiscard]] std::vector<std::filesystem::path> names_on_the_way(
    const std::filesystem::path& file);

}  // namespace gondolin
