#include "fs.hpp"

#include <string>
#include <utility>
#include <vector>

#include "file_values.hpp"
#include "promise.hpp"
#include "values.hpp"

namespace gondolin::node {
namespace {

Napi::Value to_undefined(Napi::Env env, Nothing) {
  return env.Undefined();
}

Napi::Value to_js_names(Napi::Env env, const std::vector<FileEntry>& entries) {
  Napi::Array names = Napi::Array::New(env, entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i)
    names.Set(static_cast<std::uint32_t>(i), entries[i].name);
  return names;
}

std::string read_path(Napi::Value value) {
  return value.As<Napi::String>().Utf8Value();
}

// An open file: what both directions have in common.
template <typename Derived, typename File>
class FileObject : public Napi::ObjectWrap<Derived> {
 public:
  explicit FileObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Derived>(info),
        pool_(Environment::of(info.Env()).pool()),
        file_(std::move(*info[0].As<Napi::External<std::shared_ptr<File>>>().Data())) {}
  ~FileObject() override { pool_->dispose(std::move(file_)); }

  // Makes the object with the class `object_class`.
  static Napi::Value make(const Napi::FunctionReference& object_class, Napi::Env env, File file) {
    auto shared = std::make_shared<File>(std::move(file));
    return object_class.New({Napi::External<std::shared_ptr<File>>::New(env, &shared)});
  }

 protected:
  std::shared_ptr<WorkPool> pool_;
  std::shared_ptr<File> file_;
};

class ReaderObject final : public FileObject<ReaderObject, FileReader> {
 public:
  using FileObject::FileObject;

  // read(max): a promise of a Buffer, empty at the end.
  Napi::Value read(const Napi::CallbackInfo& info) {
    Settler<std::string> settler(info.Env(), to_buffer);
    file_->async_read(info[0].As<Napi::Number>().Uint32Value(), completion(settler, file_));
    return settler.promise();
  }
  // close()
  void close(const Napi::CallbackInfo&) { pool_->dispose(std::move(file_)); }
};

class WriterObject final : public FileObject<WriterObject, FileWriter> {
 public:
  using FileObject::FileObject;

  // write(bytes)
  Napi::Value write(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      Settler<Nothing> settler(info.Env(), to_undefined);
      file_->async_write(read_bytes(info[0], "content"), completion(settler, file_));
      return settler.promise();
    });
  }
  // finish()
  Napi::Value finish(const Napi::CallbackInfo& info) {
    Settler<Nothing> settler(info.Env(), to_undefined);
    file_->async_finish(completion(settler, file_));
    return settler.promise();
  }
};

}  // namespace

void FsObject::define(Napi::Env env) {
  Environment& environment = Environment::of(env);
  environment.fs_class = Napi::Persistent(DefineClass(
      env, "NativeFs",
      {InstanceMethod<&FsObject::read>("read"),
       InstanceMethod<&FsObject::open_reader>("openReader"),
       InstanceMethod<&FsObject::write>("write"),
       InstanceMethod<&FsObject::open_writer>("openWriter"),
       InstanceMethod<&FsObject::list>("list"), InstanceMethod<&FsObject::stat>("stat"),
       InstanceMethod<&FsObject::make_directory>("makeDirectory"),
       InstanceMethod<&FsObject::rename>("rename"), InstanceMethod<&FsObject::remove>("remove")}));
  environment.reader_class = Napi::Persistent(
      ReaderObject::DefineClass(env, "NativeFileReader",
                                {ReaderObject::InstanceMethod<&ReaderObject::read>("read"),
                                 ReaderObject::InstanceMethod<&ReaderObject::close>("close")}));
  environment.writer_class = Napi::Persistent(
      WriterObject::DefineClass(env, "NativeFileWriter",
                                {WriterObject::InstanceMethod<&WriterObject::write>("write"),
                                 WriterObject::InstanceMethod<&WriterObject::finish>("finish")}));
}

Napi::Value FsObject::make(Napi::Env env, GuestFs fs) {
  auto shared = std::make_shared<GuestFs>(std::move(fs));
  return Environment::of(env).fs_class.New(
      {Napi::External<std::shared_ptr<GuestFs>>::New(env, &shared)});
}

FsObject::FsObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<FsObject>(info),
      pool_(Environment::of(info.Env()).pool()),
      fs_(std::move(*info[0].As<Napi::External<std::shared_ptr<GuestFs>>>().Data())) {}

FsObject::~FsObject() {
  pool_->dispose(std::move(fs_));
}

Napi::Value FsObject::read(const Napi::CallbackInfo& info) {
  Settler<std::string> settler(info.Env(), to_buffer);
  FileReadOptions options;
  options.max_bytes = static_cast<std::size_t>(info[1].As<Napi::Number>().Int64Value());
  fs_->async_read(read_path(info[0]), options, completion(settler, fs_));
  return settler.promise();
}

Napi::Value FsObject::open_reader(const Napi::CallbackInfo& info) {
  Settler<FileReader> settler(info.Env(), [](Napi::Env env, FileReader reader) {
    return ReaderObject::make(Environment::of(env).reader_class, env, std::move(reader));
  });
  fs_->async_open_reader(read_path(info[0]), {}, completion(settler, fs_));
  return settler.promise();
}

Napi::Value FsObject::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Settler<Nothing> settler(info.Env(), to_undefined);
    fs_->async_write(read_path(info[0]), read_bytes(info[1], "content"), {},
                     completion(settler, fs_));
    return settler.promise();
  });
}

Napi::Value FsObject::open_writer(const Napi::CallbackInfo& info) {
  Settler<FileWriter> settler(info.Env(), [](Napi::Env env, FileWriter writer) {
    return WriterObject::make(Environment::of(env).writer_class, env, std::move(writer));
  });
  fs_->async_open_writer(read_path(info[0]), {}, completion(settler, fs_));
  return settler.promise();
}

Napi::Value FsObject::list(const Napi::CallbackInfo& info) {
  Settler<std::vector<FileEntry>> settler(info.Env(), to_js_names);
  fs_->async_list(read_path(info[0]), completion(settler, fs_));
  return settler.promise();
}

Napi::Value FsObject::stat(const Napi::CallbackInfo& info) {
  Settler<FileInfo> settler(info.Env(), to_js_info);
  fs_->async_stat(read_path(info[0]), SymlinkMode::kFollow, completion(settler, fs_));
  return settler.promise();
}

Napi::Value FsObject::make_directory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Properties properties(info[1].As<Napi::Object>());
    MakeDirectoryOptions options;
    options.recursive = properties.flag("recursive").value_or(false);
    options.permissions = static_cast<std::uint32_t>(
        properties.integer("permissions", 0, 07777).value_or(options.permissions));
    Settler<Nothing> settler(info.Env(), to_undefined);
    fs_->async_make_directory(read_path(info[0]), options, completion(settler, fs_));
    return settler.promise();
  });
}

Napi::Value FsObject::rename(const Napi::CallbackInfo& info) {
  Settler<Nothing> settler(info.Env(), to_undefined);
  fs_->async_rename(read_path(info[0]), read_path(info[1]), {}, completion(settler, fs_));
  return settler.promise();
}

Napi::Value FsObject::remove(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Properties properties(info[1].As<Napi::Object>());
    RemoveOptions options;
    options.recursive = properties.flag("recursive").value_or(false);
    options.must_exist = properties.flag("mustExist").value_or(true);
    Settler<Nothing> settler(info.Env(), to_undefined);
    fs_->async_remove(read_path(info[0]), options, completion(settler, fs_));
    return settler.promise();
  });
}

}  // namespace gondolin::node
