#include "image/blob_check.hpp"

#include <sys/stat.h>
#include <time.h>

#include <cerrno>
#include <string>

#include <fmt/format.h>

#include "image/files.hpp"

namespace gondolin::image {
namespace {

// A change this soon after another may have the same time.
constexpr time_t kSettled = 2;

Result<struct stat> state_of(const std::filesystem::path& path) {
  struct stat state{};
  if (::stat(path.c_str(), &state) != 0) return fail_errno(path.string(), errno);
  return state;
}

std::string describe(const struct stat& state) {
  return fmt::format("{} {} {} {}.{:09} {}.{:09}\n", state.st_dev, state.st_ino, state.st_size,
                     state.st_mtim.tv_sec, state.st_mtim.tv_nsec, state.st_ctim.tv_sec,
                     state.st_ctim.tv_nsec);
}

bool has_settled(const struct stat& state) {
  return state.st_ctim.tv_sec + kSettled <= ::time(nullptr);
}

}  // namespace

Status check_blob(const std::filesystem::path& blob, const Digest& digest,
                  const std::filesystem::path& record) {
  const auto before = state_of(blob);
  if (!before) return tl::unexpected(before.error());
  if (read_file(record) == describe(*before)) return {};

  const auto found = digest_file(blob);
  if (!found) return tl::unexpected(found.error());
  if (*found != digest)
    return fail(ErrorCode::kProtocol, "blob " + digest.sha256 + " is not what it was");
  const auto after = state_of(blob);
  if (!after) return tl::unexpected(after.error());
  // A store that cannot be written to, or a file that is still new: hashed again next time.
  if (describe(*after) == describe(*before) && has_settled(*after) &&
      make_private_directory(record.parent_path()))
    static_cast<void>(replace_file(record, describe(*after)));
  return {};
}

}  // namespace gondolin::image
