// NativeFs: the files in a guest, as JavaScript has them; and the open ones among them.
// Every call is one asynchronous call of the library.
#pragma once

#include <napi.h>

#include <memory>

#include "environment.hpp"
#include "gondolin/fs.hpp"

namespace gondolin::node {

class FsObject final : public Napi::ObjectWrap<FsObject> {
 public:
  // Defines this class and those of open files.
  static void define(Napi::Env env);
  [[nodiscard]] static Napi::Value make(Napi::Env env, GuestFs fs);

  explicit FsObject(const Napi::CallbackInfo& info);
  ~FsObject() override;

 private:
  // read(path, maxBytes): a promise of a Buffer.
  Napi::Value read(const Napi::CallbackInfo& info);
  // openReader(path): a promise of a NativeFileReader.
  Napi::Value open_reader(const Napi::CallbackInfo& info);
  // write(path, bytes)
  Napi::Value write(const Napi::CallbackInfo& info);
  // openWriter(path): a promise of a NativeFileWriter.
  Napi::Value open_writer(const Napi::CallbackInfo& info);
  // list(path): a promise of names.
  Napi::Value list(const Napi::CallbackInfo& info);
  // stat(path): a promise of { type, permissions, uid, gid, size, modifiedMs }.
  Napi::Value stat(const Napi::CallbackInfo& info);
  // makeDirectory(path, { recursive, permissions })
  Napi::Value make_directory(const Napi::CallbackInfo& info);
  // rename(from, to)
  Napi::Value rename(const Napi::CallbackInfo& info);
  // remove(path, { recursive, mustExist })
  Napi::Value remove(const Napi::CallbackInfo& info);

  std::shared_ptr<WorkPool> pool_;
  std::shared_ptr<GuestFs> fs_;
};

}  // namespace gondolin::node
