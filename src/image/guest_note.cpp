#include "image/guest_note.hpp"

#include <utility>

#include "image/file_look.hpp"
#include "image/files.hpp"
#include "image/guest_programs.hpp"

namespace gondolin::image {

namespace fs = std::filesystem;

namespace {

// Empty when one is missing or still new.
std::string looks_of(const fs::path& directory) {
  std::string text;
  for (const std::string_view name : kGuestPrograms) {
    const auto look = look_at(directory / name);
    if (!look || !look->settled) return {};
    text += std::string(name) + " " + look->text;
  }
  return text;
}

}  // namespace

GuestNote::GuestNote(const fs::path& store, fs::path guest_directory)
    : file_(store / "guest"),
      guest_directory_(std::move(guest_directory)),
      looks_(looks_of(guest_directory_)) {}

bool GuestNote::confirms(const GuestDigests& digests) const {
  return !looks_.empty() && read_file(file_) == text(digests);
}

void GuestNote::write(const GuestDigests& digests) const {
  // Changed meanwhile?
  if (looks_.empty() || looks_of(guest_directory_) != looks_) return;
  static_cast<void>(replace_file(file_, text(digests)));
}

std::string GuestNote::text(const GuestDigests& digests) const {
  std::string text = looks_;
  for (const auto& [name, digest] : digests)
    text += name + " " + digest + "\n";
  return text;
}

}  // namespace gondolin::image
