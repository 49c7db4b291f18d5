#include "vm/accelerator.hpp"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/unique_fd.hpp"

namespace gondolin::vm {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxFile = 64 * 1024;
constexpr int kKvmApiVersion = 12;  // the only one there is since Linux 2.6.22

std::string text_of(const json& object, const char* name) {
  auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The first line of /proc/cpuinfo for each of the fields that name the processor.
std::string processor_identity() {
  constexpr std::array<std::string_view, 6> kFields = {"vendor_id",  "cpu family", "model",
                                                       "model name", "stepping",   "microcode"};
  std::ifstream file("/proc/cpuinfo");
  std::string identity;
  for (std::string line; std::getline(file, line) && !line.empty();) {
    std::string_view name = std::string_view(line).substr(0, line.find_first_of("\t:"));
    for (std::string_view field : kFields) {
      if (name == field) identity += line + "\n";
    }
  }
  return identity;
}

// Owner only, synced, and renamed into place: whoever reads sees the old or the new.
Status write_atomically(const std::filesystem::path& file, const std::string& content) {
  std::string temporary = file.string() + ".XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!fd.valid()) return fail_errno("create " + temporary, errno);
  auto give_up = [&](const char* what) {
    int error = errno;
    ::unlink(temporary.c_str());
    return fail_errno(std::string(what) + " " + temporary, error);
  };
  std::size_t written = 0;
  while (written < content.size()) {
    ssize_t count = ::write(fd.get(), content.data() + written, content.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return give_up("write");
    written += static_cast<std::size_t>(count);
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) return give_up("rename");
  return {};
}

Status create_private_directory(const std::filesystem::path& directory) {
  std::error_code error;
  if (directory.empty() || std::filesystem::is_directory(directory, error)) return {};
  std::filesystem::create_directories(directory.parent_path(), error);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno("create " + directory.string(), errno);
  }
  return {};
}

}  // namespace

std::string_view accelerator_name(Accelerator accelerator) {
  return accelerator == Accelerator::kKvm ? "KVM" : "emulation";
}

std::optional<std::filesystem::path> VerdictCache::default_file() {
  auto directory = [](const char* name) -> std::filesystem::path {
    const char* value = std::getenv(name);
    std::filesystem::path path = value != nullptr ? value : "";
    return path.is_absolute() ? path : std::filesystem::path();
  };
  std::filesystem::path cache = directory("XDG_CACHE_HOME");
  if (cache.empty()) {
    std::filesystem::path home = directory("HOME");
    if (home.empty()) return std::nullopt;
    cache = home / ".cache";
  }
  return cache / "gondolin" / "accel.json";
}

std::optional<KvmVerdict> VerdictCache::load(std::string_view key) const {
  std::ifstream file(file_, std::ios::binary);
  std::string content(kMaxFile, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(file.gcount()));
  json stored = json::parse(content, nullptr, false);
  if (!stored.is_object() || text_of(stored, "key") != key) return std::nullopt;
  std::string kvm = text_of(stored, "kvm");
  if (kvm == "works") return KvmVerdict{KvmVerdict::Kind::kWorks, {}};
  if (kvm == "broken") return KvmVerdict{KvmVerdict::Kind::kBroken, text_of(stored, "reason")};
  return std::nullopt;
}

Status VerdictCache::store(std::string_view key, const KvmVerdict& verdict) const {
  bool works = verdict.kind == KvmVerdict::Kind::kWorks;
  json stored = {{"key", key}, {"kvm", works ? "works" : "broken"}};
  if (!works) stored["reason"] = verdict.reason;
  if (auto created = create_private_directory(file_.parent_path()); !created) return created;
  return write_atomically(file_, stored.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

Status check_kvm_device(const std::filesystem::path& device) {
  UniqueFd kvm(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (!kvm.valid()) {
    std::string why =
        fmt::format("{} {}", device.string(),
                    errno == ENOENT ? "does not exist (virtualization is off in the "
                                      "firmware, or this is a VM without it)"
                    : errno == EACCES || errno == EPERM
                        ? "may not be opened (add yourself to its group, usually "
                          "\"kvm\", and log in again)"
                        : "cannot be opened: " + std::generic_category().message(errno));
    return fail(ErrorCode::kUnavailable, std::move(why));
  }
  if (::ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != kKvmApiVersion) {
    return fail(ErrorCode::kUnavailable, device.string() + " does not speak the KVM API");
  }
  return {};
}

std::string verdict_key(const std::filesystem::path& qemu) {
  utsname system{};
  ::uname(&system);
  std::string key =
      fmt::format("kernel {} {} {}\n", system.release, system.version, system.machine);
  key += processor_identity();
  struct stat device{};
  if (::stat("/dev/kvm", &device) == 0) {
    key += fmt::format("/dev/kvm {}:{}\n", major(device.st_rdev), minor(device.st_rdev));
  }
  // A new version of QEMU is a new file.
  struct stat binary{};
  if (::stat(qemu.c_str(), &binary) == 0) {
    key += fmt::format("qemu {} {} {}.{}", qemu.string(), binary.st_size, binary.st_mtim.tv_sec,
                       binary.st_mtim.tv_nsec);
  }
  return key;
}

}  // namespace gondolin::vm
