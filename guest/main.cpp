// The one program of the guest, which is each of these by the name it is started under: what
// they share is in the guest's memory once, and under emulation translated once.
#include <cstdio>
#include <string_view>

#include "guest/programs.hpp"

namespace {

struct Program {
  std::string_view name;
  int (*main)(int argc, char** argv);
};

constexpr Program kPrograms[] = {
    {"init", gondolin::guest::init},
    {"sandboxd", gondolin::guest::sandboxd},
    {"sandboxfs", gondolin::guest::sandboxfs},
    {"sandboxingress", gondolin::guest::sandboxingress},
    {"sandboxmounts", gondolin::guest::sandboxmounts},
};

}  // namespace

int main(int argc, char** argv) {
  std::string_view name = argc > 0 ? argv[0] : "";
  name.remove_prefix(name.rfind('/') + 1);
  for (const Program& program : kPrograms)
    if (program.name == name) return program.main(argc, argv);
  std::fputs("start this as init, sandboxd, sandboxfs, sandboxingress or sandboxmounts\n", stderr);
  return 1;
}
