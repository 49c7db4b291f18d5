#include "guest/init/modules.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>
#include <string>

#include "guest/init/files.hpp"

namespace gondolin::init {
namespace {

bool machine_has_pci() {
  DIR* devices = ::opendir("/sys/bus/pci/devices");
  if (devices == nullptr) return false;
  bool found = false;
  while (const dirent* entry = ::readdir(devices))
    found = found || entry->d_name[0] != '.';
  ::closedir(devices);
  return found;
}

void load_module(const std::string& name, const Console& console) {
  const std::string path = "/gondolin/modules/" + name + ".ko";
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return;
  if (::syscall(SYS_finit_module, file.get(), "", 0) != 0 && errno != EEXIST)
    console.error("module " + name + " does not load: " + std::strerror(errno));
  ::unlink(path.c_str());
}

}  // namespace

void load_modules(const Console& console) {
  const bool pci = machine_has_pci();
  std::istringstream names(read_file("/gondolin/modules.order").value_or(""));
  for (std::string name; std::getline(names, name);) {
    if (name.find("_pci") != std::string::npos && !pci) continue;
    load_module(name, console);
  }
}

}  // namespace gondolin::init
