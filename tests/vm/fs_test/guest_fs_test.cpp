// Vm::fs(): the guest's files from the host.
#include <atomic>
#include <cerrno>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs_test/mounted_vm.hpp"
#include "gondolin/error.hpp"

namespace gondolin::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

class GuestFiles : public testing::Test {
 protected:
  GuestFiles() { static_cast<void>(vm_.guest_says("rm -rf /root/t; mkdir /root/t")); }

  template <typename Call>
  static ApiError error_of(Call call) {
    try {
      call();
    } catch (const ApiError& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ApiErrorCode::kFailed, ""};
  }

  MountedVm& vm_ = mounted_vm();
  GuestFs fs_ = vm_.vm().fs();
};

TEST_F(GuestFiles, WritesAndReadsAnyBytes) {
  const std::string content = pattern(1'000'000);
  fs_.write("/root/t/f \n\xff", content, {.permissions = 0750});
  EXPECT_TRUE(fs_.read("/root/t/f \n\xff") == content);
  EXPECT_EQ(vm_.guest_says("stat -c '%a %s' /root/t/f*"), "750 1000000");
  EXPECT_EQ(fs_.read("/root/t/f \n\xff", {.offset = 10, .length = 5}), content.substr(10, 5));
  EXPECT_EQ(fs_.read("/proc/version").substr(0, 5), "Linux");
}

TEST_F(GuestFiles, StreamsALargeFileBothWays) {
  constexpr std::size_t kSize = 20 * 1024 * 1024;
  const std::string piece = pattern(1024 * 1024);
  FileWriter writer = fs_.open_writer("/root/t/big", {.mode = FileWriteMode::kAtomic});
  for (std::size_t done = 0; done < kSize; done += piece.size())
    writer.write(std::as_bytes(std::span(piece)));
  EXPECT_EQ(vm_.guest_says("ls /root/t"), "") << "atomic: there only when it is whole";
  writer.finish();
  EXPECT_EQ(fs_.stat("/root/t/big").size, kSize);
  FileReader reader = fs_.open_reader("/root/t/big");
  EXPECT_EQ(reader.info().size, kSize);
  std::vector<std::byte> buffer(100'000);
  std::size_t total = 0;
  bool same = true;
  while (std::size_t count = reader.read(buffer)) {
    for (std::size_t i = 0; i < count; i += 997)
      same = same && static_cast<char>(buffer[i]) == piece[(total + i) % piece.size()];
    total += count;
  }
  EXPECT_EQ(total, kSize);
  EXPECT_TRUE(same);
  EXPECT_EQ(
      error_of([&] { static_cast<void>(fs_.read("/root/t/big", {.max_bytes = 1000})); }).os_error(),
      EFBIG);
}

TEST_F(GuestFiles, ListsMakesRenamesAndRemoves) {
  fs_.make_directory("/root/t/a/b", {.recursive = true});
  fs_.write("/root/t/a/f", "x");
  fs_.rename("/root/t/a/f", "/root/t/a/g");
  static_cast<void>(vm_.guest_says("ln -s g /root/t/a/link"));
  EXPECT_THAT(fs_.list("/root/t/a"),
              ElementsAre(FileEntry{"b", FileType::kDirectory}, FileEntry{"g", FileType::kFile},
                          FileEntry{"link", FileType::kSymlink}));
  EXPECT_EQ(fs_.stat("/root/t/a/link").type, FileType::kFile);
  EXPECT_EQ(fs_.stat("/root/t/a/link", SymlinkMode::kItself).link_target, "g");
  EXPECT_EQ(error_of([&] { fs_.remove("/root/t/a"); }).os_error(), ENOTEMPTY);
  fs_.remove("/root/t/a", {.recursive = true});
  EXPECT_EQ(error_of([&] { static_cast<void>(fs_.stat("/root/t/a")); }).code(),
            ApiErrorCode::kNotFound);
  fs_.remove("/root/t/a", {.must_exist = false});
}

TEST_F(GuestFiles, ErrorsSayWhatAndHaveTheErrno) {
  const ApiError missing = error_of([&] { static_cast<void>(fs_.read("/root/t/none")); });
  EXPECT_EQ(missing.code(), ApiErrorCode::kNotFound);
  EXPECT_EQ(missing.os_error(), ENOENT);
  EXPECT_STREQ(missing.what(), "read /root/t/none: No such file or directory");
  EXPECT_EQ(error_of([&] { fs_.write("relative", ""); }).code(), ApiErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { static_cast<void>(fs_.list(std::string("/a\0b", 4))); }).code(),
            ApiErrorCode::kInvalidArgument);
  EXPECT_EQ(error_of([&] { static_cast<void>(fs_.read("/dev/zero")); }).os_error(), EINVAL);
  EXPECT_EQ(error_of([&] { fs_.make_directory("/root/t"); }).os_error(), EEXIST);
  EXPECT_EQ(error_of([&] { fs_.rename("/root/t", "/proc/x"); }).os_error(), EXDEV);
  EXPECT_EQ(error_of([&] { fs_.remove("/", {.recursive = true}); }).os_error(), EBUSY);
  EXPECT_EQ(error_of([&] { fs_.remove("/work", {.recursive = true}); }).os_error(), EBUSY);
}

TEST_F(GuestFiles, WritesTheListenersFile) {
  Ingress ingress = vm_.vm().enable_ingress({});
  fs_.write("/etc/gondolin/listeners", "/ :8123\n");
  EXPECT_TRUE(
      eventually([&] { return ingress.routes() == std::vector<IngressRoute>{{"/", 8123}}; }));
}

TEST_F(GuestFiles, AsynchronousCallsAndManyAtATime) {
  std::vector<std::future<std::string>> results;
  for (int i = 0; i < 20; ++i) {
    auto done = std::make_shared<std::promise<std::string>>();
    results.push_back(done->get_future());
    const std::string path = "/root/t/" + std::to_string(i);
    fs_.async_write(path, "content " + std::to_string(i), {},
                    [fs = fs_, path, done](Outcome<void> written) mutable {
                      EXPECT_TRUE(written.ok());
                      fs.async_read(path, {}, [done](Outcome<std::string> content) {
                        done->set_value(content ? content.value() : content.error().what());
                      });
                    });
  }
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(results[static_cast<std::size_t>(i)].get(), "content " + std::to_string(i));
  std::promise<std::string> failed;
  fs_.async_list("/none", [&](Outcome<std::vector<FileEntry>> list) {
    failed.set_value(list.ok() ? "" : list.error().what());
  });
  EXPECT_THAT(failed.get_future().get(), HasSubstr("list /none: No such file"));
}

TEST_F(GuestFiles, ASlowReaderHoldsUpNobodyAndMayLeave) {
  fs_.write("/root/t/big", std::string(4 * 1024 * 1024, 'x'));
  std::optional<FileReader> slow = fs_.open_reader("/root/t/big");
  std::byte byte{};
  EXPECT_EQ(slow->read(std::span(&byte, 1)), 1U);
  fs_.write("/root/t/small", "y");
  EXPECT_EQ(fs_.read("/root/t/small"), "y");
  slow.reset();
  EXPECT_TRUE(eventually([&] { return vm_.guest_says("pgrep -c -x sandboxd") == "1"; }));
}

TEST(GuestFilesEnd, ACallInProgressEndsWithTheVm) {
  ImageStoreOptions store{.store = {}, .guest_dir = GONDOLIN_GUEST_PROGRAMS};
  VmOptions options;
  options.image_store = store;
  auto vm = std::make_optional<Vm>(Vm::create(std::move(options)));
  GuestFs fs = vm->fs();
  FileWriter writer = fs.open_writer("/root/f");
  std::promise<ApiErrorCode> ended;
  writer.write(std::as_bytes(std::span("x", 1)));
  vm->close();
  EXPECT_THROW(writer.finish(), ApiError);
  fs.async_stat("/", SymlinkMode::kFollow, [&](Outcome<FileInfo> info) {
    ended.set_value(info.ok() ? ApiErrorCode::kFailed : info.error().code());
  });
  EXPECT_EQ(ended.get_future().get(), ApiErrorCode::kCancelled);
  vm.reset();
  EXPECT_THROW(static_cast<void>(fs.stat("/")), ApiError);
}

}  // namespace
}  // namespace gondolin::test
