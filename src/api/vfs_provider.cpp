// What a VfsProvider says where it does not say anything else.
#include <cerrno>
#include <system_error>

#include "gondolin/vfs.hpp"

namespace gondolin {

void vfs_fail(int os_error) {
  throw std::system_error(os_error, std::generic_category());
}

VfsFile::~VfsFile() = default;

std::size_t VfsFile::write(std::uint64_t, std::span<const std::byte>) {
  vfs_fail(EROFS);
}

void VfsFile::truncate(std::uint64_t) {
  vfs_fail(EROFS);
}

VfsProvider::~VfsProvider() = default;

std::unique_ptr<VfsFile> VfsProvider::create(const std::string&, std::uint32_t, const VfsOpen&) {
  vfs_fail(EROFS);
}

void VfsProvider::make_directory(const std::string&, std::uint32_t) {
  vfs_fail(EROFS);
}

void VfsProvider::remove_file(const std::string&) {
  vfs_fail(EROFS);
}

void VfsProvider::remove_directory(const std::string&) {
  vfs_fail(EROFS);
}

void VfsProvider::rename(const std::string&, const std::string&, VfsRename) {
  vfs_fail(EROFS);
}

void VfsProvider::change(const std::string&, const VfsChanges&) {
  vfs_fail(EROFS);
}

std::string VfsProvider::read_link(const std::string&) {
  vfs_fail(EINVAL);
}

void VfsProvider::make_link(const std::string&, const std::string&) {
  vfs_fail(EPERM);
}

VfsUsage VfsProvider::usage() {
  return {};
}

}  // namespace gondolin
