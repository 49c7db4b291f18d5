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

void abandon(const JsProviders& providers) {
  for (const auto& provider : providers)
    provider->abandon();
}

// Blocks; builds the default image where there is none.
std::shared_ptr<VmHandle> start_vm(VmOptions options, const NewMounts& mounts,
                                   const std::stop_token& stop) {
  options.cancel = stop;
  const std::stop_callback stopped(stop, [&mounts] { abandon(mounts.js_providers); });
  options.mounts = open_mounts(mounts.mounts);
  ImageStore store(options.image_store);
  store.ensure(options.image, {}, [&stop] { return stop.stop_requested(); });
  return std::make_shared<VmHandle>(Vm::create(std::move(options)), mounts.js_providers);
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
    NewMounts mounts = keep_mounts(kept, info[0].As<Napi::Object>());
    const std::vector<FunctionId> functions = kept.take();
    return promise_of<std::shared_ptr<VmHandle>>(
        env,
        [options = std::move(options), mounts = std::move(mounts),
         source = stop_source_of(info[1])] {
          return start_vm(options, mounts, source->get_token());
        },
        [functions](Napi::Env js, std::shared_ptr<VmHandle> handle) {
          return VmObject::make(Environment::of(js).vm_class, js, std::move(handle), functions);
        },
        [functions](Napi::Env js) { Environment::of(js).forget(functions); });
  });
}

void VmHandle::close() {
  abandon(providers_);
  vm_.close();
}

void VmObject::define(Napi::Env env) {
  Napi::Function definition =
      DefineClass(env, "NativeVm",
                  {InstanceMethod<&VmObject::fs>("fs"), InstanceMethod<&VmObject::exec>("exec"),
                   InstanceMethod<&VmObject::listening_ports>("listeningPorts"),
                   InstanceMethod<&VmObject::wait_for_port>("waitForPort"),
                   InstanceMethod<&VmObject::enable_ingress>("enableIngress"),
                   InstanceMethod("routes", &VmObject::routes),
                   InstanceMethod("setRoutes", &VmObject::set_routes),
                   InstanceMethod("close", &VmObject::close)});
  Environment::of(env).vm_class = Napi::Persistent(definition);
}

Napi::Value VmObject::fs(const Napi::CallbackInfo& info) {
  return FsObject::make(info.Env(), handle()->vm().fs());
}

Napi::Value VmObject::exec(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    ExecOptions options = read_exec_options(info[0].As<Napi::Object>());
    Settler<Process> settler(info.Env(), [](Napi::Env env, Process process) {
      return ProcessObject::make(env, std::make_shared<Process>(std::move(process)));
    });
    handle()->vm().async_exec(std::move(options), completion(settler, handle()));
    return settler.promise();
  });
}

Napi::Value VmObject::listening_ports(const Napi::CallbackInfo& info) {
  Settler<std::vector<ListeningPort>> settler(info.Env(), to_js_ports);
  handle()->vm().async_listening_ports(completion(settler, handle()));
  return settler.promise();
}

Napi::Value VmObject::wait_for_port(const Napi::CallbackInfo& info) {
  Settler<ListeningPort> settler(info.Env(), to_js_port);
  auto source = stop_source_of(info[2]);
  handle()->vm().async_wait_for_port(
      static_cast<std::uint16_t>(info[0].As<Napi::Number>().Uint32Value()),
      std::chrono::milliseconds(info[1].As<Napi::Number>().Int64Value()), source->get_token(),
      completion(settler, handle()));
  return settler.promise();
}

Napi::Value VmObject::enable_ingress(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    KeptFunctions kept(Environment::of(info.Env()));
    IngressOptions options = keep_ingress_options(kept, info[0].As<Napi::Object>());
    return GatewayObject::open(
        info.Env(),
        [handle = handle(), options = std::move(options)] {
          return handle->vm().enable_ingress(options);
        },
        kept.take());
  });
}

}  // namespace gondolin::node
