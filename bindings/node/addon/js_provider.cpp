#include "js_provider.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <future>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "file_values.hpp"
#include "gondolin/error.hpp"
#include "values.hpp"

namespace gondolin::node {

// A call that was posted; whoever holds it last without having answered fails it.
class VfsQuestion {
 public:
  explicit VfsQuestion(JsCalls::Read read) : read_(std::move(read)) {}
  VfsQuestion(const VfsQuestion&) = delete;
  VfsQuestion& operator=(const VfsQuestion&) = delete;
  ~VfsQuestion() { fail("the provider's answer got lost"); }

  [[nodiscard]] std::future<void> answered() { return promise_.get_future(); }

  // On the JavaScript thread.
  void answer(Napi::Value value) {
    try {
      read_(value);
    } catch (const Napi::Error& error) {  // a getter of the value threw
      return fail(error.Message());
    } catch (...) {
      return settle(std::current_exception());
    }
    settle(nullptr);
  }
  void fail(const std::string& why) { settle(std::make_exception_ptr(std::runtime_error(why))); }
  void fail(int os_error) {
    settle(std::make_exception_ptr(std::system_error(os_error, std::generic_category())));
  }

 private:
  void settle(const std::exception_ptr& failure) {
    if (settled_.exchange(true)) return;
    if (failure) {
      promise_.set_exception(failure);
    } else {
      promise_.set_value();
    }
  }

  JsCalls::Read read_;
  std::promise<void> promise_;
  std::atomic<bool> settled_ = false;
};

namespace {

using SharedQuestion = std::shared_ptr<VfsQuestion>;

// Arguments that are paths and the like: bytes, as the guest chose them.
JsCalls::Arguments bytes_of(std::vector<std::string> values) {
  return [values = std::move(values)](Napi::Env env) {
    std::vector<napi_value> arguments;
    for (const std::string& value : values)
      arguments.push_back(to_buffer(env, value));
    return arguments;
  };
}

JsCalls::Arguments path_and(const std::string& path, std::function<napi_value(Napi::Env)> more) {
  return [path, more = std::move(more)](Napi::Env env) {
    return std::vector<napi_value>{to_buffer(env, path), more(env)};
  };
}

std::uint32_t read_number(Napi::Value value) {
  if (!value.IsNumber()) {
    throw ApiError(ApiErrorCode::kInvalidArgument, "the answer must be a number");
  }
  return value.As<Napi::Number>().Uint32Value();
}

class JsFile final : public VfsFile {
 public:
  JsFile(std::shared_ptr<JsCalls> calls, std::uint32_t number)
      : calls_(std::move(calls)), number_(number) {}
  // As of close(2) there is nobody whom what fails here could be told.
  ~JsFile() override { calls_->tell("close", with({})); }

  VfsAttributes attributes() override {
    return calls_->ask<VfsAttributes>("fileAttributes", with({}), read_attributes);
  }

  std::size_t read(std::uint64_t offset, std::span<std::byte> buffer) override {
    const std::string bytes = calls_->ask<std::string>(
        "read", with({static_cast<double>(offset), static_cast<double>(buffer.size())}),
        [](Napi::Value value) { return read_bytes(value, "what was read"); });
    const std::size_t count = std::min(bytes.size(), buffer.size());
    std::ranges::copy(std::as_bytes(std::span(bytes)).first(count), buffer.begin());
    return count;
  }

  std::size_t write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    const std::string content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t written = calls_->ask<std::uint32_t>(
        "write",
        [number = number_, offset, content](Napi::Env env) {
          return std::vector<napi_value>{Napi::Number::New(env, number),
                                         Napi::Number::New(env, static_cast<double>(offset)),
                                         to_buffer(env, content)};
        },
        read_number);
    return std::min(written, bytes.size());
  }

  void truncate(std::uint64_t size) override {
    calls_->ask("fileTruncate", with({static_cast<double>(size)}));
  }

  void sync() override { calls_->ask("sync", with({})); }

 private:
  // Arguments: this file, and numbers.
  [[nodiscard]] JsCalls::Arguments with(std::vector<double> numbers) const {
    numbers.insert(numbers.begin(), number_);
    return [numbers = std::move(numbers)](Napi::Env env) {
      std::vector<napi_value> arguments;
      for (const double number : numbers)
        arguments.push_back(Napi::Number::New(env, number));
      return arguments;
    };
  }

  std::shared_ptr<JsCalls> calls_;
  std::uint32_t number_;
};

SharedQuestion& question_of(const Napi::CallbackInfo& info) {
  return *info[0].As<Napi::External<SharedQuestion>>().Data();
}

// vfsAnswer(reply, value)
void vfs_answer(const Napi::CallbackInfo& info) {
  question_of(info)->answer(info[1]);
}

// vfsFail(reply, errno, message); the message where there is no errno.
void vfs_fail_reply(const Napi::CallbackInfo& info) {
  const int os_error = info[1].As<Napi::Number>().Int32Value();
  if (os_error > 0) return question_of(info)->fail(os_error);
  question_of(info)->fail(info[2].ToString().Utf8Value());
}

}  // namespace

void JsCalls::call(const char* operation, Arguments arguments, SharedQuestion question) const {
  function_.call([operation, arguments = std::move(arguments),
                  question = std::move(question)](Napi::Env env) -> std::vector<napi_value> {
    const std::vector<napi_value> values = arguments(env);
    Napi::Array array = Napi::Array::New(env, values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      array.Set(static_cast<std::uint32_t>(i), values[i]);
    auto held = std::make_unique<SharedQuestion>(question);
    auto reply = Napi::External<SharedQuestion>::New(
        env, held.get(),
        [](Napi::Env, SharedQuestion* mine) { const std::unique_ptr<SharedQuestion> gone(mine); });
    held.release();
    return {Napi::String::New(env, operation), array, reply};
  });
}

void JsCalls::ask_for(const char* operation, Arguments arguments, Read read) {
  auto question = std::make_shared<VfsQuestion>(std::move(read));
  std::future<void> answered = question->answered();
  {
    std::scoped_lock lock(mutex_);
    if (abandoned_) vfs_fail(EIO);
    std::erase_if(open_, [](const auto& weak) { return weak.expired(); });
    open_.push_back(question);
  }
  call(operation, std::move(arguments), std::move(question));
  answered.get();
}

void JsCalls::tell(const char* operation, Arguments arguments) {
  call(operation, std::move(arguments), std::make_shared<VfsQuestion>([](Napi::Value) {}));
}

void JsCalls::abandon() {
  std::vector<std::weak_ptr<VfsQuestion>> open;
  {
    std::scoped_lock lock(mutex_);
    abandoned_ = true;
    open.swap(open_);
  }
  for (const auto& weak : open) {
    if (auto question = weak.lock()) question->fail(EIO);
  }
}

VfsAttributes JsProvider::attributes(const std::string& path) {
  return calls_->ask<VfsAttributes>("attributes", bytes_of({path}), read_attributes);
}

std::vector<FileEntry> JsProvider::list(const std::string& path) {
  return calls_->ask<std::vector<FileEntry>>("list", bytes_of({path}), read_entries);
}

std::unique_ptr<VfsFile> JsProvider::open(const std::string& path, const VfsOpen& how) {
  const std::uint32_t number = calls_->ask<std::uint32_t>(
      "open", path_and(path, [how](Napi::Env env) { return to_js_open(env, how); }), read_number);
  return std::make_unique<JsFile>(calls_, number);
}

std::unique_ptr<VfsFile> JsProvider::create(const std::string& path, std::uint32_t permissions,
                                            const VfsOpen& how) {
  const std::uint32_t number = calls_->ask<std::uint32_t>(
      "create",
      [path, permissions, how](Napi::Env env) {
        return std::vector<napi_value>{to_buffer(env, path), Napi::Number::New(env, permissions),
                                       to_js_open(env, how)};
      },
      read_number);
  return std::make_unique<JsFile>(calls_, number);
}

void JsProvider::make_directory(const std::string& path, std::uint32_t permissions) {
  calls_->ask("makeDirectory", path_and(path, [permissions](Napi::Env env) {
                return Napi::Number::New(env, permissions);
              }));
}

void JsProvider::remove_file(const std::string& path) {
  calls_->ask("removeFile", bytes_of({path}));
}

void JsProvider::remove_directory(const std::string& path) {
  calls_->ask("removeDirectory", bytes_of({path}));
}

void JsProvider::rename(const std::string& from, const std::string& to, VfsRename mode) {
  calls_->ask("rename", bytes_of({from, to, rename_name(mode)}));
}

void JsProvider::change(const std::string& path, const VfsChanges& changes) {
  calls_->ask("change",
              path_and(path, [changes](Napi::Env env) { return to_js_changes(env, changes); }));
}

std::string JsProvider::read_link(const std::string& path) {
  return calls_->ask<std::string>(
      "readLink", bytes_of({path}), [](Napi::Value value) -> std::string {
        if (!value.IsString()) {
          throw ApiError(ApiErrorCode::kInvalidArgument, "a link's target must be a string");
        }
        return value.As<Napi::String>().Utf8Value();
      });
}

void JsProvider::make_link(const std::string& path, const std::string& target) {
  calls_->ask("makeLink", bytes_of({path, target}));
}

VfsUsage JsProvider::usage() {
  return calls_->ask<VfsUsage>("usage", bytes_of({}), read_usage);
}

void export_vfs_replies(Napi::Env env, Napi::Object exports) {
  exports.Set("vfsAnswer", Napi::Function::New(env, vfs_answer));
  exports.Set("vfsFail", Napi::Function::New(env, vfs_fail_reply));
}

}  // namespace gondolin::node
