// The directory that templates live in: private to the user, safe to share between
// processes, and only ever a cache.
//
//   ID/memory          the guest's memory, sparse; mapped copy-on-write by each clone
//   ID/state           the rest of the guest, as QEMU's migration writes it
//   ID/manifest.json   the key, and by what the two files are recognized
//   draft-XXXXXX/      one that is being made, locked with flock(2) by its maker
//
// A template is complete, and has been started from once, before it gets its name, by rename(2), so
// whoever finds one finds all of it; of two processes that make the same one, the first wins. What
// a maker that was killed left behind is removed by the next one. Nothing is flushed to the disk: a
// template is of no use after the host's next boot (see TemplateKey).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "vm/template_key.hpp"

namespace gondolin::vm {

// What `gondolin template ls` shows.
struct TemplateInfo {
  std::string id;
  std::string kernel;  // file names, which are digests in an image store
  std::string initramfs;
  std::string root;
  Accelerator accelerator = Accelerator::kTcg;
  unsigned memory_mib = 0;
  unsigned cpus = 0;
  std::uint64_t disk_bytes = 0;  // what its files occupy
  std::chrono::system_clock::time_point last_used;
};

// A template to start from.
struct Template {
  std::filesystem::path memory;
  UniqueFd state;                        // at its beginning
  std::optional<std::uint32_t> tsc_khz;  // that the guest was booted with
};

class TemplateDraft;

class TemplateStore {
 public:
  // At most so many are kept, and each for so long after its last use.
  static constexpr std::size_t kMost = 8;
  static constexpr std::chrono::hours kKept{24 * 14};

  // The directory need not exist; its files are used only if they belong to this user
  // and nobody else may write them.
  explicit TemplateStore(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // $GONDOLIN_TEMPLATE_STORE, else ${XDG_CACHE_HOME:-~/.cache}/gondolin/templates;
  // nothing when there is no home either.
  [[nodiscard]] static std::optional<std::filesystem::path> default_directory();

  // The template with this key, noted as used. kNotFound when there is none;
  // kUnavailable when it is known that there can be none; kIo, with what is wrong, when
  // its files are not those that were stored. The state is checked
  // as a whole, the memory by its size, time and identity.
  [[nodiscard]] Result<Template> open(const TemplateKey& key) const;

  // Begins a template of `machine`. Removes what others left behind and what has not
  // been used for long. kUnavailable when the disk has no room for the memory.
  [[nodiscard]] Result<TemplateDraft> begin(const TemplateKey& key,
                                            const MachineOptions& machine) const;

  // Every template, the one used last first.
  [[nodiscard]] std::vector<TemplateInfo> list() const;

  // Removes the template whose id begins with `id`, at least 6 digits, and returns the
  // bytes that frees. kNotFound; kInvalidArgument when several begin so. A VM that
  // runs from it does not notice.
  [[nodiscard]] Result<std::uint64_t> remove(std::string_view id) const;

 private:
  void remove_leftovers() const;

  std::filesystem::path directory_;
};

// A template that is being made; removed when it is not committed.
class TemplateDraft {
 public:
  TemplateDraft(TemplateDraft&&) noexcept = default;
  TemplateDraft& operator=(TemplateDraft&&) = delete;
  ~TemplateDraft();

  // The file for the guest's memory, empty at first.
  [[nodiscard]] std::filesystem::path memory() const { return directory_ / "memory"; }
  // The file for the state, to be made once.
  [[nodiscard]] Result<UniqueFd> create_state() const;
  // The draft as a template, once the guest it was taken of has ended.
  [[nodiscard]] Result<Template> open() const;
  // Gives the template its name, or leaves the one that has it already.
  [[nodiscard]] Status commit();
  // Notes instead that no template with this key can be started from, so that it is not
  // tried with every start.
  [[nodiscard]] Status give_up(const std::string& reason);

 private:
  friend class TemplateStore;
  TemplateDraft(std::filesystem::path directory, UniqueFd lock, const TemplateKey& key,
                const MachineOptions& machine)
      : directory_(std::move(directory)), lock_(std::move(lock)), key_(key), machine_(machine) {}

  [[nodiscard]] Result<nlohmann::json> describe() const;
  [[nodiscard]] Status publish(const nlohmann::json& manifest);

  std::filesystem::path directory_;
  UniqueFd lock_;
  TemplateKey key_;
  MachineOptions machine_;
};

}  // namespace gondolin::vm
