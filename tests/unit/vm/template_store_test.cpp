#include "vm/template_store.hpp"

#include <sys/stat.h>

#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"
#include "vm/qemu_confinement.hpp"

namespace gondolin::vm {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class TemplateStoreTest : public testing::Test {
 protected:
  TemplateStoreTest() {
    for (const char* name : {"qemu", "kernel", "initramfs", "root"})
      write(name, name);
    machine_.kernel = file("kernel");
    machine_.initramfs = file("initramfs");
    machine_.root = file("root");
    machine_.memory_mib = 128;
    machine_.tsc_khz = 2'500'000;
  }

  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return directory_.path() / name;
  }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(file(name)) << content;
  }
  [[nodiscard]] TemplateKey key() const { return template_key(file("qemu"), machine_, host_); }

  // A draft as a guest leaves it.
  [[nodiscard]] TemplateDraft draft() const {
    auto draft = store_.begin(key(), machine_);
    EXPECT_TRUE(draft) << draft.error().message;
    std::ofstream(draft->memory()) << "memory";
    auto state = draft->create_state();
    EXPECT_TRUE(state);
    EXPECT_EQ(::write(state->get(), "state", 5), 5);
    return std::move(*draft);
  }

  TemporaryDirectory directory_;
  TemplateStore store_{directory_.path() / "cache" / "templates"};
  MachineOptions machine_;
  HostFacts host_ = host_facts(file("qemu"));
};

TEST_F(TemplateStoreTest, HasNothingUntilADraftIsCommitted) {
  EXPECT_EQ(store_.open(key()).error().code, ErrorCode::kNotFound);
  auto made = draft();
  EXPECT_EQ(store_.open(key()).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(made.commit());
  auto found = store_.open(key());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->tsc_khz, machine_.tsc_khz);
  char state[8] = {};
  EXPECT_EQ(::read(found->state.get(), state, sizeof state), 5);
  EXPECT_STREQ(state, "state");
}

TEST_F(TemplateStoreTest, ADraftThatIsNotCommittedIsRemoved) {
  {
    auto made = draft();
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() / "cache" / "templates"));
}

TEST_F(TemplateStoreTest, TheFirstOfTwoDraftsWins) {
  auto first = draft();
  {
    auto second = draft();
    ASSERT_TRUE(first.commit());
    EXPECT_TRUE(second.commit());
  }
  EXPECT_TRUE(store_.open(key()));
  EXPECT_THAT(store_.list(), SizeIs(1));
}

TEST_F(TemplateStoreTest, WhatAKilledMakerLeftIsRemovedByTheNext) {
  auto alive = draft();
  auto leftover = directory_.path() / "cache" / "templates" / "draft-abcdef";
  std::filesystem::create_directory(leftover);
  auto next = draft();
  EXPECT_FALSE(std::filesystem::exists(leftover));
  EXPECT_TRUE(std::filesystem::exists(alive.memory()));
}

TEST_F(TemplateStoreTest, FilesThatChangedAreNotUsed) {
  for (const char* name : {"memory", "state", "manifest.json"}) {
    ASSERT_TRUE(draft().commit());
    std::ofstream(directory_.path() / "cache" / "templates" / key().id / name, std::ios::app)
        << "x";
    auto found = store_.open(key());
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, ErrorCode::kIo) << name;
    ASSERT_TRUE(store_.remove(key().id));
  }
}

TEST_F(TemplateStoreTest, FilesThatOthersMayWriteAreNotUsed) {
  ASSERT_TRUE(draft().commit());
  ::chmod((directory_.path() / "cache" / "templates" / key().id).c_str(), 0777);
  EXPECT_EQ(store_.open(key()).error().code, ErrorCode::kIo);
}

TEST_F(TemplateStoreTest, OnlyTheGroupOfQemusUserMayShareTheMemory) {
  ASSERT_TRUE(draft().commit());
  auto memory = directory_.path() / "cache" / "templates" / key().id / "memory";
  ::chmod(memory.c_str(), 0660);
  EXPECT_EQ(store_.open(key()).error().code, ErrorCode::kIo) << "our own group is not it";
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(memory.c_str(), 0, kQemuId), 0);
    EXPECT_TRUE(store_.open(key()));
  }
  ::chmod(memory.c_str(), 0662);
  EXPECT_EQ(store_.open(key()).error().code, ErrorCode::kIo);
}

TEST_F(TemplateStoreTest, RemembersThatNoneCanBeHad) {
  ASSERT_TRUE(draft().give_up("QEMU said no"));
  auto found = store_.open(key());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(found.error().message, testing::HasSubstr("QEMU said no"));
}

TEST_F(TemplateStoreTest, ListsAndRemovesByTheBeginningOfAnId) {
  EXPECT_THAT(store_.list(), IsEmpty());
  ASSERT_TRUE(draft().commit());
  auto listed = store_.list();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].id, key().id);
  EXPECT_EQ(listed[0].memory_mib, 128U);
  EXPECT_EQ(listed[0].kernel, "kernel");
  EXPECT_EQ(store_.remove("12345").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store_.remove(key().id.substr(0, 8)));
  EXPECT_THAT(store_.list(), IsEmpty());
}

TEST_F(TemplateStoreTest, KeepsAFewAndDropsWhatWasNotUsedForLongest) {
  std::string first;
  for (unsigned cpus = 1; cpus <= TemplateStore::kMost + 2; ++cpus) {
    machine_.cpus = cpus;
    if (cpus == 1) first = key().id;
    ASSERT_TRUE(draft().commit());
    auto manifest = directory_.path() / "cache" / "templates" / key().id / "manifest.json";
    std::filesystem::last_write_time(
        manifest, std::filesystem::file_time_type::clock::now() - std::chrono::hours(100 - cpus));
  }
  EXPECT_THAT(store_.list(), SizeIs(TemplateStore::kMost));
  EXPECT_EQ(store_.remove(first).error().code, ErrorCode::kNotFound);
}

TEST_F(TemplateStoreTest, TheKeyChangesWithEverythingThatMatters) {
  std::set<std::string> ids = {key().id};
  auto is_new = [&] { return ids.insert(key().id).second; };
  for (const char* name : {"qemu", "kernel", "initramfs", "root"}) {
    write(name, "another content");
    EXPECT_TRUE(is_new()) << name;
  }
  machine_.memory_mib = 256;
  EXPECT_TRUE(is_new());
  machine_.cpus = 1;
  EXPECT_TRUE(is_new());
  machine_.accelerator = Accelerator::kKvm;
  EXPECT_TRUE(is_new());
  for (std::string HostFacts::* fact :
       {&HostFacts::boot, &HostFacts::system, &HostFacts::processor_flags}) {
    EXPECT_NE(host_.*fact, "");
    host_.*fact += " another";
    EXPECT_TRUE(is_new());
  }
}

TEST_F(TemplateStoreTest, TheKeyIsTheSameForTheSameMachine) {
  TemplateKey before = key();
  machine_.tsc_khz = 2'500'001;  // measured, and never twice the same
  machine_.memory_file = {file("memory"), MemoryFile::Use::kShared};
  EXPECT_EQ(key(), before);
}

}  // namespace
}  // namespace gondolin::vm
