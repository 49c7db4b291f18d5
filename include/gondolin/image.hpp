// Guest images: building, keeping and finding what a VM boots from.
//
// An image is a kernel, an initramfs (our init, our daemons and the modules that
// reach the disk) and a read-only root file system with Debian in it. Images live
// in a store, a directory private to the user; blobs in it are named by their
// SHA-256, tags such as "default:latest" name images.
//
// Every call blocks, throws ApiError when it fails, and may be made from any
// thread; several processes may use one store at once. Building takes about a
// minute the first time and needs mmdebstrap, erofs-utils, uidmap and the network; a
// kernel of our own takes some ten minutes more and a compiler.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gondolin/export.hpp"

namespace gondolin {

// The tag that a build gets and a VM boots when none is named.
inline constexpr char kDefaultImage[] = "default:latest";

// Where things are; an empty path means the default.
struct ImageStoreOptions {
  // Default: $GONDOLIN_IMAGE_STORE, else ${XDG_CACHE_HOME:-~/.cache}/gondolin/images.
  std::filesystem::path store;
  // The directory of the guest programs init, sandboxd, sandboxfs,
  // sandboxingress and sandboxmounts. Default: $GONDOLIN_GUEST_DIR, else ../guest (build tree) or
  // ../libexec/gondolin (installed) beside the directory of the running program, else
  // ../libexec/gondolin beside that of the shared library, else where `cmake --install`
  // puts them.
  std::filesystem::path guest_dir;
};

// What a build does with what is there already.
enum class ImageFreshness {
  kReuse,   // keep a root file system that the same inputs gave before
  kUpdate,  // build it anew, to get the newest packages from the mirror
};

// The kernel that an image boots.
enum class ImageKernel {
  kAuto,     // kMinimal when the store has it, else kStock
  kMinimal,  // ours, which starts in less than half the time: built from Debian's source,
             // once, which takes many minutes
  kStock,    // Debian's
};

// Which image to build.
struct ImageBuildOptions {
  // Debian packages to add to the standard set. Order and repetition do not matter.
  std::vector<std::string> packages;
  // The tag that names the result afterwards: NAME or NAME:VERSION of letters,
  // digits, '.', '_' and '-'; NAME alone means NAME:latest.
  std::string tag = kDefaultImage;
  ImageFreshness freshness = ImageFreshness::kReuse;  // of the packages
  // The manifest of an image (inspect()), of another machine perhaps, to be built again: the
  // same packages version by version, and the same bytes; `packages` must be empty and
  // `kernel` kAuto. Throws, and says what is different, when the mirror does not have them any
  // more.
  std::string pins;
  ImageKernel kernel = ImageKernel::kAuto;  // what it boots
};

// What a build tells while it works. A build that finds nothing to do tells nothing.
struct ImageProgress {
  // How long the text is worth showing.
  enum class Kind {
    kStage,   // a new stage began: one line worth keeping, "Installing packages"
    kDetail,  // where the stage is now: worth showing only until the next one
  };
  Kind kind;         // of the text
  std::string text;  // one line
};

// Called on the calling thread.
using ImageProgressSink = std::function<void(const ImageProgress&)>;

// Asked several times a second on the calling thread while a build runs or waits;
// true ends it with kCancelled, and nothing of it remains.
using ImageCancellation = std::function<bool()>;

// The files to boot from. They stay for an hour at least unless somebody removes
// the image; a VM that has them open does not notice the removal.
struct ImageFiles {
  std::string id;                   // 64 hex digits
  std::filesystem::path kernel;     // for QEMU's -kernel
  std::filesystem::path initramfs;  // for -initrd
  std::filesystem::path root;       // EROFS, for a read-only raw virtio-blk disk (/dev/vda)
  std::filesystem::path manifest;   // JSON, see docs/images.md
};

// An image of a store, for a list.
struct ImageInfo {
  std::string id;                                 // 64 hex digits
  std::vector<std::string> tags;                  // sorted
  std::chrono::system_clock::time_point created;  // when it was built
  std::uint64_t size = 0;                         // bytes of its blobs, shared ones included
  std::vector<std::string> requested;             // packages asked for at its build
  ImageKernel kernel = ImageKernel::kStock;       // never kAuto
  std::string kernel_release;                     // "6.1.0-56-cloud-amd64"
};

// Something about an image that is not as it was built.
struct ImageProblem {
  std::string image;  // id
  std::string text;   // one sentence
};

// A directory of images. Costs nothing to make; several may be for one directory.
class GONDOLIN_API ImageStore {
 public:
  // Touches nothing yet: the directory is made by the first build. Throws when no
  // default for a path can be found.
  explicit ImageStore(const ImageStoreOptions& options = {});

  // The directory.
  [[nodiscard]] const std::filesystem::path& path() const { return store_; }

  // Builds what the options describe unless it is there already, tags it and
  // returns it. Another process's build in the same store is waited for. When
  // killed at any moment, the store is as it was.
  ImageFiles build(const ImageBuildOptions& options, const ImageProgressSink& progress = {},
                   const ImageCancellation& cancelled = {});

  // The files of the image that `ref` names: a tag, an id or at least 6 digits of
  // an id. They were hashed since they last changed. kNotFound, with what to do about it, when
  // there is none.
  [[nodiscard]] ImageFiles resolve(std::string_view ref = kDefaultImage) const;

  // What `ref` names, ready to boot: built when it is the default image and there
  // is none yet. When a tag names an image whose guest programs are not those of
  // guest_dir, its initramfs is made anew, in well under a second, and the tags of
  // the old image move to the new one; an id is always just that image.
  ImageFiles ensure(std::string_view ref = kDefaultImage, const ImageProgressSink& progress = {},
                    const ImageCancellation& cancelled = {});

  // Every image, newest first.
  [[nodiscard]] std::vector<ImageInfo> list() const;

  // The manifest of an image, as the JSON text that is stored.
  [[nodiscard]] std::string inspect(std::string_view ref) const;

  // What is in an image: an SPDX 2.3 document, JSON, with every Debian package, its version and
  // the hash of its file, and the guest programs.
  [[nodiscard]] std::string sbom(std::string_view ref) const;

  // Makes `tag` name the image of `ref`, wherever it pointed before. An image that
  // no tag names any more is removed, here and wherever else a tag moves, once
  // nobody asked for its files for an hour.
  void tag(std::string_view ref, std::string_view tag);

  // Removes a tag, and with its last tag the image; or with an id the image and all
  // its tags. Returns the bytes freed.
  std::uint64_t remove(std::string_view ref);

  // Hashes every blob of the image anew; of every image when `ref` is empty.
  // Returns what does not match, empty when all is well.
  [[nodiscard]] std::vector<ImageProblem> verify(std::string_view ref = {}) const;

 private:
  std::filesystem::path store_;
  std::filesystem::path guest_dir_;
};

}  // namespace gondolin
