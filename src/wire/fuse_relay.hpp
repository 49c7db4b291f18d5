// What both ends of the fs port agree on beyond frames: the size of a FUSE message.
#pragma once

#include <cstddef>

namespace gondolin::wire {

// The largest message either way, in bytes: 64 KiB of file data and the headers
// before them, rounded up. The guest reads /dev/fuse with a buffer of this size.
inline constexpr std::size_t kMaxFuseMessage = std::size_t{68} * 1024;

}  // namespace gondolin::wire
