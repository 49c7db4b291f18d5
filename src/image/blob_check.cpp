#include "image/blob_check.hpp"

#include "image/file_look.hpp"
#include "image/files.hpp"

namespace gondolin::image {

Status check_blob(const std::filesystem::path& blob, const Digest& digest,
                  const std::filesystem::path& record) {
  const auto before = look_at(blob);
  if (!before) return tl::unexpected(before.error());
  if (read_file(record) == before->text) return {};

  const auto found = digest_file(blob);
  if (!found) return tl::unexpected(found.error());
  if (*found != digest)
    return fail(ErrorCode::kProtocol, "blob " + digest.sha256 + " is not what it was");
  const auto after = look_at(blob);
  if (!after) return tl::unexpected(after.error());
  // A store that cannot be written to, or a file that is still new: hashed again next time.
  if (after->text == before->text && after->settled && make_private_directory(record.parent_path()))
    static_cast<void>(replace_file(record, after->text));
  return {};
}

}  // namespace gondolin::image
