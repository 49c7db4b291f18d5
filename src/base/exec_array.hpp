// What execve(2) takes as argv and envp.
#pragma once

#include <string>
#include <vector>

namespace gondolin {

// A pointer to each string, and a null behind them. Good for as long as `strings` is neither
// changed nor destroyed. Nothing writes through the pointers: they lack a const because
// execve's parameters do.
[[nodiscard]] inline std::vector<char*> exec_array(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings)
    pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace gondolin
