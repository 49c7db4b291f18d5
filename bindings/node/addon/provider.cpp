#include "provider.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "file_values.hpp"
#include "values.hpp"

namespace gondolin::node {
namespace {

constexpr std::uint64_t kMaxRead = 1024 * 1024;

// What is handed to a constructor.
template <typename T>
struct NewServed {
  Where where;
  std::shared_ptr<T> thing;
};

template <typename T>
NewServed<T>& parts_of(const Napi::CallbackInfo& info) {
  return *info[0].As<Napi::External<NewServed<T>>>().Data();
}

template <typename T>
Napi::Value make_served(Napi::Env env, const Napi::FunctionReference& object_class, Where where,
                        std::shared_ptr<T> thing) {
  NewServed<T> parts{where, std::move(thing)};
  return object_class.New({Napi::External<NewServed<T>>::New(env, &parts)});
}

std::string text(Napi::Value value) {
  return value.As<Napi::String>().Utf8Value();
}

std::uint64_t count(Napi::Value value) {
  return static_cast<std::uint64_t>(value.As<Napi::Number>().Int64Value());
}

Properties object(Napi::Value value) {
  return Properties(value.As<Napi::Object>());
}

class ProviderFileObject final : public Napi::ObjectWrap<ProviderFileObject> {
 public:
  explicit ProviderFileObject(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<ProviderFileObject>(info),
        served_(Environment::of(info.Env()).pool(), parts_of<VfsFile>(info).where,
                std::move(parts_of<VfsFile>(info).thing)) {}

  // attributes(): { type, permissions, ... }
  Napi::Value attributes(const Napi::CallbackInfo& info) {
    return served_.call<VfsAttributes>(
        info.Env(), [](VfsFile& file) { return file.attributes(); }, to_js_attributes);
  }
  // read(offset, length): a Buffer, shorter only at the end.
  Napi::Value read(const Napi::CallbackInfo& info) {
    const std::size_t size = std::min(count(info[1]), kMaxRead);
    return served_.call<std::string>(
        info.Env(),
        [offset = count(info[0]), size](VfsFile& file) {
          std::string content(size, '\0');
          content.resize(file.read(offset, std::as_writable_bytes(std::span(content))));
          return content;
        },
        to_buffer);
  }
  // write(offset, bytes): how many it took.
  Napi::Value write(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      return served_.call<std::size_t>(
          info.Env(),
          [offset = count(info[0]), bytes = read_bytes(info[1], "content")](VfsFile& file) {
            return file.write(offset, std::as_bytes(std::span(bytes)));
          },
          [](Napi::Env env, std::size_t written) {
            return Napi::Number::New(env, static_cast<double>(written));
          });
    });
  }
  Napi::Value truncate(const Napi::CallbackInfo& info) {
    return served_.call(info.Env(),
                        [size = count(info[0])](VfsFile& file) { file.truncate(size); });
  }
  Napi::Value sync(const Napi::CallbackInfo& info) {
    return served_.call(info.Env(), [](VfsFile& file) { file.sync(); });
  }
  void close(const Napi::CallbackInfo&) { served_.release(); }

 private:
  Served<VfsFile> served_;
};

Napi::Value to_js_file(Napi::Env env, Where where, std::shared_ptr<VfsFile> file) {
  return make_served(env, Environment::of(env).provider_file_class, where, std::move(file));
}

// memoryProvider(maxBytes, maxFiles): a NativeProvider.
Napi::Value memory_provider(const Napi::CallbackInfo& info) {
  std::shared_ptr<VfsProvider> provider = std::make_shared<MemoryProvider>(
      static_cast<std::size_t>(count(info[0])), static_cast<std::size_t>(count(info[1])));
  return make_served(info.Env(), Environment::of(info.Env()).provider_class, Where::kHere,
                     std::move(provider));
}

// hostDirectory(path): a promise of a NativeProvider.
Napi::Value host_directory(const Napi::CallbackInfo& info) {
  using Shared = std::shared_ptr<VfsProvider>;
  return promise_of<Shared>(
      info.Env(),
      [directory = text(info[0])]() -> Shared {
        return std::make_shared<HostDirectory>(directory);
      },
      [](Napi::Env env, Shared provider) {
        return make_served(env, Environment::of(env).provider_class, Where::kPool,
                           std::move(provider));
      });
}

}  // namespace

void ProviderObject::define(Napi::Env env) {
  Environment& environment = Environment::of(env);
  environment.provider_class = Napi::Persistent(DefineClass(
      env, "NativeProvider",
      {InstanceMethod<&ProviderObject::attributes>("attributes"),
       InstanceMethod<&ProviderObject::list>("list"), InstanceMethod<&ProviderObject::open>("open"),
       InstanceMethod<&ProviderObject::create>("create"),
       InstanceMethod<&ProviderObject::make_directory>("makeDirectory"),
       InstanceMethod<&ProviderObject::remove_file>("removeFile"),
       InstanceMethod<&ProviderObject::remove_directory>("removeDirectory"),
       InstanceMethod<&ProviderObject::rename>("rename"),
       InstanceMethod<&ProviderObject::change>("change"),
       InstanceMethod<&ProviderObject::read_link>("readLink"),
       InstanceMethod<&ProviderObject::make_link>("makeLink"),
       InstanceMethod<&ProviderObject::usage>("usage")}));
  using File = ProviderFileObject;
  environment.provider_file_class = Napi::Persistent(File::DefineClass(
      env, "NativeProviderFile",
      {File::InstanceMethod<&File::attributes>("attributes"),
       File::InstanceMethod<&File::read>("read"), File::InstanceMethod<&File::write>("write"),
       File::InstanceMethod<&File::truncate>("truncate"), File::InstanceMethod<&File::sync>("sync"),
       File::InstanceMethod<&File::close>("close")}));
}

ProviderObject::ProviderObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ProviderObject>(info),
      served_(Environment::of(info.Env()).pool(), parts_of<VfsProvider>(info).where,
              std::move(parts_of<VfsProvider>(info).thing)) {}

std::shared_ptr<VfsProvider> ProviderObject::provider_of(Napi::Value value) {
  return Unwrap(value.As<Napi::Object>())->served_.thing();
}

Napi::Value ProviderObject::attributes(const Napi::CallbackInfo& info) {
  return served_.call<VfsAttributes>(
      info.Env(),
      [path = text(info[0])](VfsProvider& provider) { return provider.attributes(path); },
      to_js_attributes);
}

Napi::Value ProviderObject::list(const Napi::CallbackInfo& info) {
  return served_.call<std::vector<FileEntry>>(
      info.Env(), [path = text(info[0])](VfsProvider& provider) { return provider.list(path); },
      to_js_entries);
}

// open(path, { read, write, truncate, append })
Napi::Value ProviderObject::open(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return served_.call<std::shared_ptr<VfsFile>>(
        info.Env(),
        [path = text(info[0]), how = read_open(object(info[1]))](
            VfsProvider& provider) -> std::shared_ptr<VfsFile> { return provider.open(path, how); },
        [where = served_.where()](Napi::Env env, std::shared_ptr<VfsFile> file) {
          return to_js_file(env, where, std::move(file));
        });
  });
}

// create(path, permissions, { read, write, truncate, append })
Napi::Value ProviderObject::create(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return served_.call<std::shared_ptr<VfsFile>>(
        info.Env(),
        [path = text(info[0]), permissions = static_cast<std::uint32_t>(count(info[1])),
         how = read_open(object(info[2]))](VfsProvider& provider) -> std::shared_ptr<VfsFile> {
          return provider.create(path, permissions, how);
        },
        [where = served_.where()](Napi::Env env, std::shared_ptr<VfsFile> file) {
          return to_js_file(env, where, std::move(file));
        });
  });
}

Napi::Value ProviderObject::make_directory(const Napi::CallbackInfo& info) {
  return served_.call(
      info.Env(), [path = text(info[0]), permissions = static_cast<std::uint32_t>(count(info[1]))](
                      VfsProvider& provider) { provider.make_directory(path, permissions); });
}

Napi::Value ProviderObject::remove_file(const Napi::CallbackInfo& info) {
  return served_.call(
      info.Env(), [path = text(info[0])](VfsProvider& provider) { provider.remove_file(path); });
}

Napi::Value ProviderObject::remove_directory(const Napi::CallbackInfo& info) {
  return served_.call(info.Env(), [path = text(info[0])](VfsProvider& provider) {
    provider.remove_directory(path);
  });
}

// rename(from, to, mode)
Napi::Value ProviderObject::rename(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return served_.call(
        info.Env(), [from = text(info[0]), to = text(info[1]), mode = read_rename(text(info[2]))](
                        VfsProvider& provider) { provider.rename(from, to, mode); });
  });
}

// change(path, changes)
Napi::Value ProviderObject::change(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return served_.call(info.Env(),
                        [path = text(info[0]), changes = read_file_changes(object(info[1]))](
                            VfsProvider& provider) { provider.change(path, changes); });
  });
}

Napi::Value ProviderObject::read_link(const Napi::CallbackInfo& info) {
  return served_.call<std::string>(
      info.Env(),
      [path = text(info[0])](VfsProvider& provider) { return provider.read_link(path); },
      [](Napi::Env env, const std::string& target) { return Napi::String::New(env, target); });
}

// makeLink(path, target)
Napi::Value ProviderObject::make_link(const Napi::CallbackInfo& info) {
  return served_.call(info.Env(), [path = text(info[0]), target = text(info[1])](
                                      VfsProvider& provider) { provider.make_link(path, target); });
}

Napi::Value ProviderObject::usage(const Napi::CallbackInfo& info) {
  return served_.call<VfsUsage>(
      info.Env(), [](VfsProvider& provider) { return provider.usage(); }, to_js_usage);
}

void export_providers(Napi::Env env, Napi::Object exports) {
  exports.Set("memoryProvider", Napi::Function::New(env, memory_provider));
  exports.Set("hostDirectory", Napi::Function::New(env, host_directory));
}

}  // namespace gondolin::node
