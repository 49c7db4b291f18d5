#include "image/file_look.hpp"

#include <sys/stat.h>
#include <time.h>

#include <cerrno>

#include <fmt/format.h>

namespace gondolin::image {
namespace {

// A change this soon after another may have the same time.
constexpr time_t kSettled = 2;

}  // namespace

Result<FileLook> look_at(const std::filesystem::path& file) {
  struct stat state{};
  if (::stat(file.c_str(), &state) != 0) return fail_errno(file.string(), errno);
  return FileLook{.text = fmt::format("{} {} {} {}.{:09} {}.{:09}\n", state.st_dev, state.st_ino,
                                      state.st_size, state.st_mtim.tv_sec, state.st_mtim.tv_nsec,
                                      state.st_ctim.tv_sec, state.st_ctim.tv_nsec),
                  .settled = state.st_ctim.tv_sec + kSettled <= ::time(nullptr)};
}

}  // namespace gondolin::image
