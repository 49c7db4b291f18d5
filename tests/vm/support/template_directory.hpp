// A template store of a test's own, in place of the user's, and gone with its object.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace gondolin::test {

class TemplateDirectory {
 public:
  TemplateDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "gondolin-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    root_ = path;
    if (const char* before = std::getenv(kVariable)) before_ = before;
    ::setenv(kVariable, this->path().c_str(), 1);
  }
  TemplateDirectory(const TemplateDirectory&) = delete;
  TemplateDirectory& operator=(const TemplateDirectory&) = delete;
  ~TemplateDirectory() {
    if (before_.empty()) {
      ::unsetenv(kVariable);
    } else {
      ::setenv(kVariable, before_.c_str(), 1);
    }
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  // Does not exist before the first start.
  [[nodiscard]] std::filesystem::path path() const { return root_ / "templates"; }

 private:
  static constexpr const char* kVariable = "GONDOLIN_TEMPLATE_STORE";

  std::filesystem::path root_;
  std::string before_;
};

}  // namespace gondolin::test
