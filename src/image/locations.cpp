#include "image/locations.hpp"

#include <dlfcn.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <system_error>

namespace gondolin::image {

namespace fs = std::filesystem;

namespace {

// The value of an environment variable that is set and not empty, else "".
std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The file that this code is in: a shared library, or the program.
fs::path library() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&default_guest_directory), &info) == 0) return {};
  std::error_code error;
  return fs::canonical(info.dli_fname, error);
}

// The directory of guest programs in the tree that `file` was installed into: bin/file,
// lib/file or lib/<architecture>/file. Empty if there is none.
fs::path installed_beside(const fs::path& file) {
  std::error_code error;
  fs::path prefix = file.parent_path();
  for (int level = 0; level < 2; ++level) {
    prefix = prefix.parent_path();
    fs::path place = prefix / "libexec" / "gondolin";
    if (!prefix.empty() && fs::exists(place / "init", error)) return place;
  }
  return {};
}

}  // namespace

Result<fs::path> default_store() {
  if (const std::string store = environment("GONDOLIN_IMAGE_STORE"); !store.empty())
    return fs::absolute(store);
  // The XDG specification has relative paths ignored.
  if (const fs::path cache = environment("XDG_CACHE_HOME"); cache.is_absolute())
    return cache / "gondolin" / "images";
  fs::path home = environment("HOME");
  if (home.empty())
    if (const passwd* user = ::getpwuid(::getuid())) home = user->pw_dir;
  if (!home.is_absolute())
    return fail(ErrorCode::kUnavailable,
                "no home directory to keep images in: set GONDOLIN_IMAGE_STORE");
  return home / ".cache" / "gondolin" / "images";
}

Result<fs::path> default_guest_directory() {
  if (const std::string directory = environment("GONDOLIN_GUEST_DIR"); !directory.empty())
    return fs::absolute(directory);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return fail_errno("reading /proc/self/exe", error.value());
  const fs::path built = program.parent_path().parent_path() / "guest";
  for (const fs::path& place : {installed_beside(program), built, installed_beside(library())}) {
    if (!place.empty() && fs::exists(place / "init", error)) return place;
  }
  return fs::path(GONDOLIN_INSTALLED_GUEST_DIR);
}

}  // namespace gondolin::image
