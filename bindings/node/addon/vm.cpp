#include "vm.hpp"

#include <chrono>
#include <optional>
#include <string>

#include "cancellation.hpp"
#include "debug_log.hpp"
#include "fs.hpp"
#include "gateway.hpp"
#include "gondolin/error.hpp"
#include "ingress_options.hpp"
#include "process.hpp"
#include "promise.hpp"
#include "routes.hpp"
#include "values.hpp"

namespace gondolin::node {
namespace {

// What make() hands to the constructor.
struct NewVm {
  std::shared_ptr<VmHandle> handle;
  std::vector<FunctionId> functions;
};

const char* event_name(VmEvent::Kind kind) {
  switch (kind) {
    case VmEvent::Kind::kEmulation:
      return "emulation";
    case VmEvent::Kind::kBootRetry:
      return "boot-retry";
    case VmEvent::Kind::kDaemonRestarted:
      return "daemon-restarted";
    case VmEvent::Kind::kProtocolError:
      return "protocol-error";
    case VmEvent::Kind::kGuestDied:
      return "guest-died";
  }
  return "protocol-error";
}

const char* scope_name(ListeningPort::Scope scope) {
  switch (scope) {
    case ListeningPort::Scope::kLoopback:
      return "loopback";
    case ListeningPort::Scope::kAny:
      return "any";
    case ListeningPort::Scope::kOther:
      return "other";
  }
  return "other";
}

Accelerator read_accelerator(const std::string& name) {
  if (name == "auto") return Accelerator::kAuto;
  if (name == "kvm") return Accelerator::kKvm;
  if (name == "tcg") return Accelerator::kTcg;
  throw ApiError(ApiErrorCode::kInvalidArgument, "accelerator must be 'auto', 'kvm' or 'tcg'");
}

StartFrom read_start(const std::string& name) {
  if (name == "template") return StartFrom::kTemplate;
  if (name == "boot") return StartFrom::kBoot;
  throw ApiError(ApiErrorCode::kInvalidArgument, "startFrom must be 'template' or 'boot'");
}

VmOptions keep_vm_options(KeptFunctions& kept, Napi::Object object) {
  const Properties properties(object);
  VmOptions options;
  options.image = properties.text("image").value_or(options.image);
  options.image_store.store = properties.text("imageStore").value_or("");
  options.image_store.guest_dir = properties.text("guestDirectory").value_or("");
  options.memory_mib = static_cast<unsigned>(
      properties.integer("memoryMib", 0, 1 << 30).value_or(options.memory_mib));
  options.cpus =
      static_cast<unsigned>(properties.integer("cpus", 0, 1 << 16).value_or(options.cpus));
  options.accelerator = read_accelerator(properties.text("accelerator").value_or("auto"));
  options.start_from = read_start(properties.text("startFrom").value_or("template"));
  options.debug = keep_debug_options(kept, object);
  if (auto hear = properties.function("onEvent")) {
    options.on_event = [function = kept.keep(*hear)](const VmEvent& event) {
      function.call([event](Napi::Env env) -> std::vector<napi_value> {
        return {Napi::String::New(env, event_name(event.kind)),
                Napi::String::New(env, event.message)};
      });
    };
  }
  return options;
}

// A directory of this machine, and where it is to be in the guest.
struct HostMount {
  std::string path;
  std::string directory;
  VfsAccess access = VfsAccess::kReadWrite;
};

std::vector<HostMount> read_mounts(Napi::Object options) {
  std::vector<HostMount> mounts;
  const std::optional<Napi::Array> array = Properties(options).array("mounts");
  for (std::uint32_t i = 0; array && i < array->Length(); ++i) {
    const Properties mount(array->Get(i).As<Napi::Object>());
    mounts.push_back({.path = mount.text("path").value_or(""),
                      .directory = mount.text("directory").value_or(""),
                      .access = mount.flag("readOnly").value_or(false) ? VfsAccess::kReadOnly
                                                                       : VfsAccess::kReadWrite});
  }
  return mounts;
}

// Blocks; builds the default image where there is none.
std::shared_ptr<VmHandle> start_vm(VmOptions options, const std::vector<HostMount>& mounts,
                                   const std::stop_token& stop) {
  options.cancel = stop;
  for (const HostMount& mount : mounts) {
    options.mounts.push_back(
        {.path = mount.path,
         .provider = std::make_shared<HostDirectory>(mount.directory, mount.access),
         .access = mount.access});
  }
  ImageStore store(options.image_store);
  store.ensure(options.image, {}, [&stop] { return stop.stop_requested(); });
  return std::make_shared<VmHandle>(Vm::create(std::move(options)));
}

Napi::Value to_js_port(Napi::Env env, const ListeningPort& port) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("port", Napi::Number::New(env, port.port));
  object.Set("scope", scope_name(port.scope));
  object.Set("ipv6", Napi::Boolean::New(env, port.ipv6));
  object.Set("pid", Napi::Number::New(env, port.pid));
  object.Set("process", port.process);
  return object;
}

Napi::Value to_js_ports(Napi::Env env, const std::vector<ListeningPort>& ports) {
  Napi::Array array = Napi::Array::New(env, ports.size());
  for (std::size_t i = 0; i < ports.size(); ++i)
    array.Set(static_cast<std::uint32_t>(i), to_js_port(env, ports[i]));
  return array;
}

}  // namespace

Napi::Value create_vm(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Napi::Env env = info.Env();
    KeptFunctions kept(Environment::of(env));
    VmOptions options = keep_vm_options(kept, info[0].As<Napi::Object>());
    const std::vector<FunctionId> functions = kept.take();
    return promise_of<std::shared_ptr<VmHandle>>(
        env,
        [options = std::move(options), mounts = read_mounts(info[0].As<Napi::Object>()),
         source = stop_source_of(info[1])] {
          return start_vm(options, mounts, source->get_token());
        },
        [functions](Napi::Env js, std::shared_ptr<VmHandle> handle) {
          return VmObject::make(js, std::move(handle), functions);
        },
        [functions](Napi::Env js) { Environment::of(js).forget(functions); });
  });
}

void VmObject::define(Napi::Env env) {
  Napi::Function definition =
      DefineClass(env, "NativeVm",
                  {InstanceMethod<&VmObject::fs>("fs"), InstanceMethod<&VmObject::exec>("exec"),
                   InstanceMethod<&VmObject::listening_ports>("listeningPorts"),
                   InstanceMethod<&VmObject::wait_for_port>("waitForPort"),
                   InstanceMethod<&VmObject::enable_ingress>("enableIngress"),
                   InstanceMethod<&VmObject::routes>("routes"),
                   InstanceMethod<&VmObject::set_routes>("setRoutes"),
                   InstanceMethod<&VmObject::close>("close")});
  Environment::of(env).vm_class = Napi::Persistent(definition);
}

Napi::Value VmObject::make(Napi::Env env, std::shared_ptr<VmHandle> handle,
                           std::vector<FunctionId> functions) {
  Environment& environment = Environment::of(env);
  environment.opened(handle);
  NewVm parts{std::move(handle), std::move(functions)};
  return environment.vm_class.New({Napi::External<NewVm>::New(env, &parts)});
}

VmObject::VmObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<VmObject>(info), pool_(Environment::of(info.Env()).pool()) {
  NewVm& parts = *info[0].As<Napi::External<NewVm>>().Data();
  handle_ = std::move(parts.handle);
  functions_ = std::move(parts.functions);
}

VmObject::~VmObject() {
  pool_->dispose(std::move(handle_));
}

Napi::Value VmObject::fs(const Napi::CallbackInfo& info) {
  return FsObject::make(info.Env(), handle_->vm().fs());
}

Napi::Value VmObject::exec(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    ExecOptions options = read_exec_options(info[0].As<Napi::Object>());
    Settler<Process> settler(info.Env(), [](Napi::Env env, Process process) {
      return ProcessObject::make(env, std::make_shared<Process>(std::move(process)));
    });
    handle_->vm().async_exec(std::move(options), completion(settler, handle_));
    return settler.promise();
  });
}

Napi::Value VmObject::listening_ports(const Napi::CallbackInfo& info) {
  Settler<std::vector<ListeningPort>> settler(info.Env(), to_js_ports);
  handle_->vm().async_listening_ports(completion(settler, handle_));
  return settler.promise();
}

Napi::Value VmObject::wait_for_port(const Napi::CallbackInfo& info) {
  Settler<ListeningPort> settler(info.Env(), to_js_port);
  auto source = stop_source_of(info[2]);
  handle_->vm().async_wait_for_port(
      static_cast<std::uint16_t>(info[0].As<Napi::Number>().Uint32Value()),
      std::chrono::milliseconds(info[1].As<Napi::Number>().Int64Value()), source->get_token(),
      completion(settler, handle_));
  return settler.promise();
}

Napi::Value VmObject::enable_ingress(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    KeptFunctions kept(Environment::of(info.Env()));
    IngressOptions options = keep_ingress_options(kept, info[0].As<Napi::Object>());
    return GatewayObject::open(
        info.Env(),
        [handle = handle_, options = std::move(options)] {
          return handle->vm().enable_ingress(options);
        },
        kept.take());
  });
}

Napi::Value VmObject::routes(const Napi::CallbackInfo& info) {
  return promise_of<std::vector<IngressRoute>>(
      info.Env(), [handle = handle_] { return handle->vm().ingress_routes(); }, to_js_routes);
}

Napi::Value VmObject::set_routes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return promise_of(info.Env(), [handle = handle_, routes = read_routes(info[0])] {
      handle->vm().set_ingress_routes(routes);
    });
  });
}

Napi::Value VmObject::close(const Napi::CallbackInfo& info) {
  return promise_of(
      info.Env(), [handle = handle_] { handle->close(); },
      [handle = handle_, functions = functions_](Napi::Env env) {
        Environment& environment = Environment::of(env);
        environment.closed(handle);
        environment.forget(functions);
      });
}

}  // namespace gondolin::node
