#include "vm/template_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "vm/digest.hpp"
#include "vm/qemu_confinement.hpp"

namespace gondolin::vm {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::string_view kDraft = "draft-";
constexpr std::size_t kLargestState = 16 << 20;
constexpr std::size_t kLeastPrefix = 6;

// What of a file can be compared without reading it.
json identity(const struct stat& status) {
  return {{"inode", status.st_ino},
          {"size", status.st_size},
          {"seconds", status.st_mtim.tv_sec},
          {"nanoseconds", status.st_mtim.tv_nsec}};
}

Result<std::string> read_all(int fd, std::size_t limit) {
  std::string content;
  std::array<char, 64 * 1024> buffer{};
  ssize_t count = 0;
  while ((count = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(content.size()))) >
         0) {
    content.append(buffer.data(), static_cast<std::size_t>(count));
    if (content.size() > limit) return fail(ErrorCode::kLimit, "the file is too long");
  }
  if (count < 0) return fail_errno("read", errno);
  return content;
}

bool is_ours(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// The same for the memory, which a QEMU of its own user shares through its group.
bool is_ours_and_qemus(const struct stat& status) {
  const mode_t others = status.st_gid == kQemuId && ::geteuid() == 0 ? S_IWOTH : S_IWGRP | S_IWOTH;
  return status.st_uid == ::geteuid() && (status.st_mode & others) == 0;
}

json read_manifest(const fs::path& directory) {
  UniqueFd file(::open((directory / "manifest.json").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return {};
  auto text = read_all(file.get(), kLargestState);
  return text ? json::parse(*text, nullptr, false) : json();
}

// The template's files against its manifest.
Result<Template> check(const fs::path& directory, const TemplateKey& key) {
  auto damaged = [](const char* what) { return fail(ErrorCode::kIo, what); };
  struct stat status{};
  if (::lstat(directory.c_str(), &status) != 0)
    return fail(ErrorCode::kNotFound, "there is no template yet");
  if (!S_ISDIR(status.st_mode) || !is_ours(status))
    return damaged("the template is somebody else's");
  json manifest = read_manifest(directory);
  if (!manifest.is_object()) return damaged("the template has no manifest");
  if (manifest.value("key", "") != key.text) return damaged("the template has another key");
  if (manifest.contains("unusable"))
    return fail(ErrorCode::kUnavailable,
                "no template works here: " + manifest.value("unusable", ""));

  Template found{.memory = directory / "memory", .state = {}, .tsc_khz = {}};
  if (::lstat(found.memory.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
      !is_ours_and_qemus(status) || manifest.value("memory", json()) != identity(status)) {
    return damaged("the template's memory is not the one that was stored");
  }
  found.state.reset(::open((directory / "state").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  auto state = found.state.valid() ? read_all(found.state.get(), kLargestState)
                                   : Result<std::string>(damaged("no state"));
  if (!state || sha256(*state) != manifest.value("state", ""))
    return damaged("the template's state is not the one that was stored");
  if (manifest.contains("tsc_khz")) found.tsc_khz = manifest["tsc_khz"].get<std::uint32_t>();
  return found;
}

std::uint64_t disk_bytes(const fs::path& directory) {
  std::uint64_t bytes = 0;
  for (const char* name : {"memory", "state", "manifest.json"}) {
    struct stat status{};
    if (::lstat((directory / name).c_str(), &status) == 0)
      bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return bytes;
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

// The kernel's own bookkeeping of the memory, and what a boot touches.
std::uint64_t space_needed(const MachineOptions& machine) {
  std::uint64_t memory = std::uint64_t{machine.memory_mib} << 20;
  return std::min(memory, (std::uint64_t{512} << 20) + memory / 32);
}

Status make_private_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory.parent_path(), error);
  struct stat status{};
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("create " + directory.string(), errno);
  if (::stat(directory.c_str(), &status) != 0 || !is_ours(status))
    return fail(ErrorCode::kUnavailable, directory.string() + " is not private to this user");
  return {};
}

fs::path environment_path(const char* name) {
  const char* value = std::getenv(name);
  fs::path path = value != nullptr ? value : "";
  return path.is_absolute() ? path : fs::path();
}

void remove_directory(const fs::path& directory) {
  std::error_code ignored;  // what stays is tried again with the next template
  fs::remove_all(directory, ignored);
}

}  // namespace

std::optional<fs::path> TemplateStore::default_directory() {
  if (fs::path store = environment_path("GONDOLIN_TEMPLATE_STORE"); !store.empty()) return store;
  fs::path cache = environment_path("XDG_CACHE_HOME");
  if (cache.empty()) {
    fs::path home = environment_path("HOME");
    if (home.empty()) return std::nullopt;
    cache = home / ".cache";
  }
  return cache / "gondolin" / "templates";
}

Result<Template> TemplateStore::open(const TemplateKey& key) const {
  const fs::path directory = directory_ / key.id;
  auto found = check(directory, key);
  // Best effort: who cannot note it cannot remove it either.
  if (found)
    static_cast<void>(::utimensat(AT_FDCWD, (directory / "manifest.json").c_str(), nullptr, 0));
  return found;
}

Result<TemplateDraft> TemplateStore::begin(const TemplateKey& key,
                                           const MachineOptions& machine) const {
  if (auto made = make_private_directory(directory_); !made) return tl::unexpected(made.error());
  remove_leftovers();
  struct statvfs space{};
  if (::statvfs(directory_.c_str(), &space) != 0) return fail_errno("statvfs", errno);
  if (space.f_bavail * space.f_frsize < space_needed(machine))
    return fail(ErrorCode::kUnavailable, "the disk has no room for a template");
  std::string name = (directory_ / (std::string(kDraft) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) return fail_errno("create " + name, errno);
  UniqueFd lock(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Whoever took it for a leftover in this very moment has removed it.
  if (!lock.valid() || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorCode::kUnavailable, "the template's draft was taken away");
  TemplateDraft draft(name, std::move(lock), key, machine);
  UniqueFd memory(::open(draft.memory().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!memory.valid()) return fail_errno("create a template's memory", errno);
  return draft;
}

void TemplateStore::remove_leftovers() const {
  for (const std::string& name : names_in(directory_)) {
    if (!name.starts_with(kDraft)) continue;
    UniqueFd lock(::open((directory_ / name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock.valid() && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0)
      remove_directory(directory_ / name);
  }
  auto templates = list();
  auto oldest = std::chrono::system_clock::now() - kKept;
  for (std::size_t i = 0; i < templates.size(); ++i) {
    if (i + 1 >= kMost || templates[i].last_used < oldest)
      remove_directory(directory_ / templates[i].id);
  }
}

std::vector<TemplateInfo> TemplateStore::list() const {
  std::vector<TemplateInfo> templates;
  for (const std::string& name : names_in(directory_)) {
    const fs::path directory = directory_ / name;
    struct stat status{};
    if (name.starts_with(kDraft)) continue;
    json manifest = read_manifest(directory);
    if (!manifest.is_object()) manifest = json::object();  // to be seen and removed all the same
    if (::stat((directory / "manifest.json").c_str(), &status) != 0 &&
        ::stat(directory.c_str(), &status) != 0) {
      continue;
    }
    templates.push_back(
        {.id = name,
         .kernel = manifest.value("kernel", ""),
         .initramfs = manifest.value("initramfs", ""),
         .root = manifest.value("root", ""),
         .accelerator =
             manifest.value("accelerator", "") == "kvm" ? Accelerator::kKvm : Accelerator::kTcg,
         .memory_mib = manifest.value("memory_mib", 0U),
         .cpus = manifest.value("cpus", 0U),
         .disk_bytes = disk_bytes(directory),
         .last_used = std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec)});
  }
  std::ranges::sort(templates, std::ranges::greater(), &TemplateInfo::last_used);
  return templates;
}

Result<std::uint64_t> TemplateStore::remove(std::string_view id) const {
  const TemplateInfo* match = nullptr;
  auto templates = list();
  for (const TemplateInfo& each : templates) {
    if (id.size() < kLeastPrefix || !each.id.starts_with(id)) continue;
    if (match != nullptr) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' is the beginning of several templates' ids", id));
    }
    match = &each;
  }
  if (match == nullptr)
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no template '{}' (gondolin template ls shows them)", id));
  remove_directory(directory_ / match->id);
  return match->disk_bytes;
}

TemplateDraft::~TemplateDraft() {
  if (lock_.valid()) remove_directory(directory_);
}

Result<Template> TemplateDraft::open() const {
  Template found{.memory = memory(), .state = {}, .tsc_khz = machine_.tsc_khz};
  found.state.reset(::open((directory_ / "state").c_str(), O_RDONLY | O_CLOEXEC));
  if (!found.state.valid()) return fail_errno("open a template's state", errno);
  return found;
}

Result<UniqueFd> TemplateDraft::create_state() const {
  UniqueFd file(
      ::open((directory_ / "state").c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno("create a template's state", errno);
  return file;
}

Status TemplateDraft::commit() {
  auto manifest = describe();
  if (!manifest) return tl::unexpected(manifest.error());
  return publish(*manifest);
}

Status TemplateDraft::give_up(const std::string& reason) {
  std::error_code ignored;
  fs::remove(memory(), ignored);
  fs::remove(directory_ / "state", ignored);
  return publish({{"key", key_.text}, {"unusable", reason}});
}

Result<json> TemplateDraft::describe() const {
  struct stat status{};
  if (::stat(memory().c_str(), &status) != 0) return fail_errno(memory().string(), errno);
  UniqueFd state_file(::open((directory_ / "state").c_str(), O_RDONLY | O_CLOEXEC));
  auto state = read_all(state_file.get(), kLargestState);
  if (!state) return tl::unexpected(state.error());
  json manifest = {
      {"key", key_.text},
      {"kernel", machine_.kernel.filename().string()},
      {"initramfs", machine_.initramfs.filename().string()},
      {"root", machine_.root.filename().string()},
      {"accelerator", machine_.accelerator == Accelerator::kKvm ? "kvm" : "tcg"},
      {"memory_mib", machine_.memory_mib},
      {"cpus", machine_.cpus},
      {"memory", identity(status)},
      {"state", sha256(*state)},
  };
  if (machine_.tsc_khz) manifest["tsc_khz"] = *machine_.tsc_khz;
  return manifest;
}

Status TemplateDraft::publish(const json& manifest) {
  std::ofstream file(directory_ / "manifest.json");
  file << manifest.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
  file.close();
  if (!file) return fail(ErrorCode::kIo, "a template's manifest could not be written");

  const fs::path name = directory_.parent_path() / key_.id;
  // One that is there and damaged has been removed by whoever found it so.
  if (::rename(directory_.c_str(), name.c_str()) == 0) {
    lock_.reset();
    return {};
  }
  if (errno == EEXIST || errno == ENOTEMPTY) return {};  // the draft goes with its object
  return fail_errno("rename " + directory_.string(), errno);
}

}  // namespace gondolin::vm
