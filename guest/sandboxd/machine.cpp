#include "guest/sandboxd/machine.hpp"

#include <fcntl.h>
#include <linux/random.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/unique_fd.hpp"
#include "guest/common/power_off.hpp"

namespace gondolin::guest {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr const char* kMachineId = "/etc/machine-id";
constexpr const char* kNewMachineId = "/etc/machine-id.new";

Status set_clock(std::uint64_t nanoseconds) {
  timespec time{.tv_sec = static_cast<time_t>(nanoseconds / kNanosecondsPerSecond),
                .tv_nsec = static_cast<long>(nanoseconds % kNanosecondsPerSecond)};
  if (::clock_settime(CLOCK_REALTIME, &time) != 0) return fail_errno("clock_settime", errno);
  return {};
}

// Adds the bytes to the pool, counted in full, and makes the generator start over from
// it, so that two clones of one template part here.
Status add_entropy(Bytes entropy) {
  UniqueFd random(::open("/dev/urandom", O_WRONLY | O_CLOEXEC));
  if (!random.valid()) return fail_errno("/dev/urandom", errno);
  // rand_pool_info: bits, bytes, and the bytes themselves.
  std::vector<int> request(2 + (entropy.size() + sizeof(int) - 1) / sizeof(int));
  request[0] = static_cast<int>(entropy.size() * 8);
  request[1] = static_cast<int>(entropy.size());
  std::memcpy(request.data() + 2, entropy.data(), entropy.size());
  if (::ioctl(random.get(), RNDADDENTROPY, request.data()) != 0) {
    return fail_errno("RNDADDENTROPY", errno);
  }
  if (::ioctl(random.get(), RNDRESEEDCRNG) != 0) return fail_errno("RNDRESEEDCRNG", errno);
  return {};
}

bool write_all(const UniqueFd& file, const std::string& text) {
  return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// One that is there, as in a copy of a template, is written over: a new file and its
// renaming take milliseconds under emulation, and nobody can be reading it yet.
Status set_machine_id(const std::string& id) {
  const std::string line = id + "\n";
  UniqueFd old(::open(kMachineId, O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (old.valid() && ::fstat(old.get(), &status) == 0 && S_ISREG(status.st_mode) &&
      status.st_size == static_cast<off_t>(line.size())) {
    return write_all(old, line) ? Status{} : fail_errno(kMachineId, errno);
  }
  UniqueFd file(::open(kNewMachineId, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444));
  const bool written = file.valid() && write_all(file, line);
  if (!written || ::rename(kNewMachineId, kMachineId) != 0) return fail_errno(kMachineId, errno);
  return {};
}

}  // namespace

Status prepare_machine(const wire::PrepareTarget& target) {
  Status done;
  if (target.wall_clock_ns != 0) done = set_clock(target.wall_clock_ns);
  if (done && !target.entropy.empty()) done = add_entropy(target.entropy);
  if (done && !target.hostname.empty() &&
      ::sethostname(target.hostname.data(), target.hostname.size()) != 0) {
    done = fail_errno("sethostname", errno);
  }
  if (done && !target.machine_id.empty()) done = set_machine_id(target.machine_id);
  return done;
}

Status power_off() {
  if (::kill(1, kPowerOffSignal) != 0) return fail_errno("asking init to power off", errno);
  return {};
}

}  // namespace gondolin::guest
