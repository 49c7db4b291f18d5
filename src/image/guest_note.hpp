// Whether the guest programs are still those of an image, without reading them again:
// every start asks, and they are eight megabytes.
//
// The store's file `guest` notes what the files looked like (file_look.hpp)
// when they were last read, and their digests. A file that changed within the last
// seconds could change once more without looking different, so it is not noted.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace gondolin::image {

using GuestDigests = std::map<std::string, std::string>;  // program name to SHA-256

class GuestNote {
 public:
  GuestNote(const std::filesystem::path& store, std::filesystem::path guest_directory);

  // Whether the files look as they did when they had these digests.
  [[nodiscard]] bool confirms(const GuestDigests& digests) const;

  // Notes that the files, as they looked when this object was made, have these digests.
  // Best effort: without it they are read again.
  void write(const GuestDigests& digests) const;

 private:
  [[nodiscard]] std::string text(const GuestDigests& digests) const;

  std::filesystem::path file_;
  std::filesystem::path guest_directory_;
  std::string looks_;  // empty when they cannot be relied on
};

}  // namespace gondolin::image
