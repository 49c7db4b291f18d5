// A Vite project whose files this program serves to the guest: those of a directory, and one
// that it writes itself. The guest changes nothing here.
//
//   gondolin image build --package nodejs --tag nodejs
//   cd examples/vite-project && npm install
//   vite examples/vite-project

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gondolin/vm.hpp>

namespace {

constexpr char kWritten[] = "/greeting.js";

// A file whose content is a text.
class Text final : public gondolin::VfsFile {
 public:
  Text(gondolin::VfsAttributes about, std::string text) : about_(about), text_(std::move(text)) {}

  gondolin::VfsAttributes attributes() override { return about_; }
  std::size_t read(std::uint64_t offset, std::span<std::byte> buffer) override {
    const std::string_view rest =
        std::string_view(text_).substr(std::min<std::size_t>(offset, text_.size()));
    const std::size_t count = std::min(rest.size(), buffer.size());
    std::ranges::copy(std::as_bytes(std::span(rest)).first(count), buffer.begin());
    return count;
  }

 private:
  gondolin::VfsAttributes about_;
  std::string text_;
};

// The project: what is in the directory, but for one module.
class Project final : public gondolin::VfsProvider {
 public:
  explicit Project(const char* directory) : files_(directory, gondolin::VfsAccess::kReadOnly) {}

  gondolin::VfsAttributes attributes(const std::string& path) override {
    if (path != kWritten) return files_.attributes(path);
    return {.type = gondolin::FileType::kFile,
            .permissions = 0444,
            .size = text_.size(),
            .modified = written_};
  }
  std::vector<gondolin::FileEntry> list(const std::string& path) override {
    return files_.list(path);
  }
  std::unique_ptr<gondolin::VfsFile> open(const std::string& path,
                                          const gondolin::VfsOpen& how) override {
    if (path != kWritten) return files_.open(path, how);
    if (how.write) gondolin::vfs_fail(EROFS);
    return std::make_unique<Text>(attributes(path), text_);
  }
  std::string read_link(const std::string& path) override { return files_.read_link(path); }

 private:
  gondolin::HostDirectory files_;
  const std::string text_ =
      "export const greeting = 'Hello from the program around the sandbox';\n";
  const gondolin::VfsTime written_ = std::chrono::system_clock::now();
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: vite PROJECT\n";
    return 2;
  }
  gondolin::VmOptions options;
  options.image = "nodejs";
  options.mounts = {{.path = "/project", .provider = std::make_shared<Project>(argv[1])}};
  gondolin::Vm vm = gondolin::Vm::create(options);

  // Vite's configuration is loaded as it is: there is nowhere to write a compiled one to.
  gondolin::Process vite =
      vm.exec({.argv = {"node", "node_modules/vite/bin/vite.js", "--configLoader", "native",
                        "--port", "5173", "--strictPort"},
               .cwd = "/project"});
  vm.wait_for_port(5173, std::chrono::minutes(5));  // some 20 s under emulation

  gondolin::Ingress ingress = vm.enable_ingress({});
  vm.set_ingress_routes({{.prefix = "/", .port = 5173}});
  std::cout << "Open " << ingress.url() << " and press Enter here to end." << std::endl;
  std::cin.get();
} catch (const gondolin::ApiError& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
