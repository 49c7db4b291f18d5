// Whether a blob still holds what its name says, at the price of a stat(2) as a rule.
//
// A blob that was hashed leaves a record of the file it was read from: device, inode, size
// and the times of its last changes. While the file still answers to that, its content is
// what was hashed: every write moves the time of change, which nobody but the kernel sets. A
// file that does not is hashed again. Records are hints of one machine: lost ones, stale ones
// and half-written ones cost a hash and nothing else.
//
// It finds what a disk, a copy or another program did to a file. Who may write in the store
// can write a record as well.
#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "image/sha256.hpp"

namespace gondolin::image {

// Fails unless the file `blob` is what `digest` says. `record` is where its record is, or will be
// if it can be written.
[[nodiscard]] Status check_blob(const std::filesystem::path& blob, const Digest& digest,
                                const std::filesystem::path& record);

}  // namespace gondolin::image
