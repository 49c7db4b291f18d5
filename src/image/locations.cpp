#include "image/locations.hpp"

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
  const fs::path prefix = program.parent_path().parent_path();
  const fs::path installed = prefix / "libexec" / "gondolin";
  return fs::exists(installed / "init", error) ? installed : prefix / "guest";
}

}  // namespace gondolin::image
