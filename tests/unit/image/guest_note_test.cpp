#include "image/guest_note.hpp"

#include <gtest/gtest.h>

#include "image/guest_programs.hpp"
#include "temp_store.hpp"

namespace gondolin::image {
namespace {

class GuestNoteTest : public StoreTest {
 protected:
  GuestNoteTest() {
    for (const std::string_view name : kGuestPrograms)
      write(guest() / name, name);
    std::filesystem::create_directories(store().directory());
  }

  [[nodiscard]] std::filesystem::path guest() const { return directory_ / "guest"; }
  [[nodiscard]] GuestNote note() const { return {store().directory(), guest()}; }

  GuestDigests digests_{{"init", "1"}, {"sandboxd", "2"}};
};

TEST_F(GuestNoteTest, WithoutANoteNothingIsConfirmed) {
  EXPECT_FALSE(note().confirms(digests_));
}

TEST_F(GuestNoteTest, FilesThatWereJustWrittenAreNotReliedOn) {
  note().write(digests_);
  EXPECT_FALSE(std::filesystem::exists(store().directory() / "guest"));
  EXPECT_FALSE(note().confirms(digests_));
}

// The time a file was changed cannot be set back, so files that lie there are used.
class SettledGuestNoteTest : public GuestNoteTest {
 protected:
  SettledGuestNoteTest() {
    for (const std::string_view name : kGuestPrograms) {
      std::filesystem::remove(guest() / name);
      std::filesystem::create_symlink("/bin/sh", guest() / name);
    }
    note().write(digests_);
  }
};

TEST_F(SettledGuestNoteTest, WhatWasNotedIsConfirmed) {
  EXPECT_TRUE(note().confirms(digests_));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(store().directory()), {}), 1);
}

TEST_F(SettledGuestNoteTest, OtherDigestsAreNot) {
  GuestDigests others = digests_;
  others["sandboxd"] = "3";
  EXPECT_FALSE(note().confirms(others));
}

TEST_F(SettledGuestNoteTest, AnotherFileIsNot) {
  std::filesystem::remove(guest() / "init");
  std::filesystem::create_symlink("/bin/ls", guest() / "init");
  EXPECT_FALSE(note().confirms(digests_));
}

TEST_F(SettledGuestNoteTest, AMissingFileIsNot) {
  std::filesystem::remove(guest() / "init");
  EXPECT_FALSE(note().confirms(digests_));
}

}  // namespace
}  // namespace gondolin::image
