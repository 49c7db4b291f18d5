#include "process.hpp"

#include <string>
#include <utility>

#include "file_values.hpp"
#include "gondolin/error.hpp"
#include "promise.hpp"
#include "values.hpp"

namespace gondolin::node {
namespace {

std::size_t read_max(const Napi::CallbackInfo& info) {
  return info[0].As<Napi::Number>().Uint32Value();
}

TerminalSize read_size(Napi::Object object) {
  const Properties properties(object);
  const TerminalSize standard;
  return {.rows = static_cast<std::uint16_t>(
              properties.integer("rows", 1, 65535).value_or(standard.rows)),
          .columns = static_cast<std::uint16_t>(
              properties.integer("columns", 1, 65535).value_or(standard.columns))};
}

}  // namespace

ExecOptions read_exec_options(Napi::Object object) {
  const Properties properties(object);
  ExecOptions options{.argv = properties.texts("argv")};
  // [name, value, name, value, ...]
  const std::vector<std::string> environment = properties.texts("env");
  for (std::size_t i = 0; i + 1 < environment.size(); i += 2)
    options.env[environment[i]] = environment[i + 1];
  options.cwd = properties.text("cwd").value_or("");
  if (auto terminal = properties.object("terminal")) options.terminal = read_size(*terminal);
  return options;
}

void ProcessObject::define(Napi::Env env) {
  Napi::Function definition =
      DefineClass(env, "NativeProcess",
                  {InstanceMethod<&ProcessObject::read_stdout>("readStdout"),
                   InstanceMethod<&ProcessObject::read_stderr>("readStderr"),
                   InstanceMethod<&ProcessObject::write_stdin>("writeStdin"),
                   InstanceMethod<&ProcessObject::wait>("wait"),
                   InstanceMethod<&ProcessObject::close_stdin>("closeStdin"),
                   InstanceMethod<&ProcessObject::close_stdout>("closeStdout"),
                   InstanceMethod<&ProcessObject::close_stderr>("closeStderr"),
                   InstanceMethod<&ProcessObject::resize>("resize"),
                   InstanceMethod<&ProcessObject::signal>("signal"),
                   InstanceMethod<&ProcessObject::kill>("kill")});
  Environment::of(env).process_class = Napi::Persistent(definition);
}

Napi::Value ProcessObject::make(Napi::Env env, std::shared_ptr<Process> process) {
  return Environment::of(env).process_class.New(
      {Napi::External<std::shared_ptr<Process>>::New(env, &process)});
}

ProcessObject::ProcessObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ProcessObject>(info),
      pool_(Environment::of(info.Env()).pool()),
      process_(std::move(*info[0].As<Napi::External<std::shared_ptr<Process>>>().Data())) {}

ProcessObject::~ProcessObject() {
  pool_->dispose(std::move(process_));
}

Napi::Value ProcessObject::read_stdout(const Napi::CallbackInfo& info) {
  Settler<std::string> settler(info.Env(), to_buffer);
  process_->async_read_stdout(read_max(info), completion(settler, process_));
  return settler.promise();
}

Napi::Value ProcessObject::read_stderr(const Napi::CallbackInfo& info) {
  Settler<std::string> settler(info.Env(), to_buffer);
  process_->async_read_stderr(read_max(info), completion(settler, process_));
  return settler.promise();
}

Napi::Value ProcessObject::write_stdin(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Settler<bool> settler(info.Env(), [](Napi::Env env, bool reads) -> Napi::Value {
      return Napi::Boolean::New(env, reads);
    });
    process_->async_write_stdin(read_bytes(info[0], "stdin"), completion(settler, process_));
    return settler.promise();
  });
}

Napi::Value ProcessObject::wait(const Napi::CallbackInfo& info) {
  Settler<ExitStatus> settler(info.Env(), [](Napi::Env env, ExitStatus status) -> Napi::Value {
    Napi::Object object = Napi::Object::New(env);
    object.Set("code", Napi::Number::New(env, status.shell_status()));
    object.Set("signal", Napi::Number::New(env, status.signal));
    return object;
  });
  process_->async_wait(completion(settler, process_));
  return settler.promise();
}

void ProcessObject::close_stdin(const Napi::CallbackInfo&) {
  process_->close_stdin();
}

void ProcessObject::close_stdout(const Napi::CallbackInfo&) {
  process_->close_stdout();
}

void ProcessObject::close_stderr(const Napi::CallbackInfo&) {
  process_->close_stderr();
}

// resize({ rows, columns })
void ProcessObject::resize(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { process_->resize(read_size(info[0].As<Napi::Object>())); });
}

// signal(number)
void ProcessObject::signal(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { process_->signal(info[0].As<Napi::Number>().Int32Value()); });
}

void ProcessObject::kill(const Napi::CallbackInfo&) {
  process_->kill();
}

}  // namespace gondolin::node
