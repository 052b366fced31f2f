#include "runtime/comm/ucx_worker.h"

#include <ucp/api/ucp.h>
#include <ucs/config/global_opts.h>

#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/comm/monotonic.h"

namespace galley::comm {
namespace {

absl::Status UcxError(absl::string_view what, ucs_status_t status) {
  return absl::UnavailableError(absl::StrCat(what, ": UCX: ", ucs_status_string(status)));
}

Completion CompletionOf(ucs_status_t status) {
  if (status == UCS_OK) return Completion::kDone;
  if (status == UCS_ERR_MESSAGE_TRUNCATED) return Completion::kTruncated;
  return status == UCS_ERR_CANCELED ? Completion::kCancelled : Completion::kFailed;
}

ucp_worker_params_t WorkerParams() {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;  // several threads, in turn, under the owner's lock
  return params;
}

}  // namespace

struct UcxWorker::Ucx {
  struct Endpoint {
    Ucx* ucx = nullptr;
    ucp_ep_h handle = nullptr;
    bool reports_failure = false;
  };

  Listener* listener = nullptr;
  ucp_context_h context = nullptr;
  ucp_worker_h worker = nullptr;
  std::vector<Endpoint> endpoints;  // by peer; UCX holds pointers to them
  bool leaks_context = false;

  void Close() {
    if (worker != nullptr) ucp_worker_destroy(worker);
    if (context != nullptr && !leaks_context) ucp_cleanup(context);
    worker = nullptr;
    context = nullptr;
  }

  absl::Status OpenWith(const char* transports) {
    ucp_config_t* config;
    ucs_status_t status = ucp_config_read(nullptr, nullptr, &config);
    if (status != UCS_OK) return UcxError("its configuration (UCX_* in the environment)", status);
    if (transports != nullptr) status = ucp_config_modify(config, "TLS", transports);
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_TAG;
    if (status == UCS_OK) status = ucp_init(&params, config, &context);
    ucp_config_release(config);
    if (status != UCS_OK) return UcxError("opening the network", status);
    const ucp_worker_params_t mode = WorkerParams();
    status = ucp_worker_create(context, &mode, &worker);
    return status == UCS_OK ? absl::OkStatus() : UcxError("opening the network", status);
  }

  static void Complete(Transfer& transfer, ucs_status_t status, int64_t bytes) {
    transfer.request = nullptr;
    transfer.completed = true;
    transfer.worker->ucx_->listener->OnCompleted(transfer, CompletionOf(status), bytes,
                                                 ucs_status_string(status));
  }

  static void OnSent(void* request, ucs_status_t status, void* user_data) {
    Transfer& transfer = *static_cast<Transfer*>(user_data);
    Complete(transfer, status, transfer.bytes);
    ucp_request_free(request);
  }

  static void OnReceived(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info,
                         void* user_data) {
    const bool came = status == UCS_OK || status == UCS_ERR_MESSAGE_TRUNCATED;
    Complete(*static_cast<Transfer*>(user_data), status, came ? static_cast<int64_t>(info->length) : 0);
    ucp_request_free(request);
  }

  static void OnEndpointFailed(void* arg, ucp_ep_h, ucs_status_t status) {
    const Endpoint* endpoint = static_cast<Endpoint*>(arg);
    const std::vector<Endpoint>& all = endpoint->ucx->endpoints;
    endpoint->ucx->listener->OnEndpointFailed(static_cast<int>(endpoint - all.data()),
                                              ucs_status_string(status));
  }
};

UcxWorker::UcxWorker(Listener* listener) : ucx_(std::make_unique<Ucx>()) { ucx_->listener = listener; }

UcxWorker::~UcxWorker() { ucx_->Close(); }

// UCX fails altogether when one kind of shared memory is there but too small, as /dev/shm (posix) is in many
// containers. System V's needs no file system and is as fast, so it is the first choice.
absl::Status UcxWorker::Open() {
  const bool own_level = getenv("UCX_LOG_LEVEL") == nullptr;
  std::vector<const char*> choices = {"^posix", "^sysv", "^posix,sysv"};
  if (getenv("UCX_TLS") != nullptr) choices = {nullptr};
  absl::Status status;
  for (const char* transports : choices) {
    // UCX reads its log level while it is loaded, so an environment set by us would come too late.
    if (own_level) ucs_global_opts_set_value("LOG_LEVEL", transports == choices.back() ? "error" : "fatal");
    status = ucx_->OpenWith(transports);
    if (status.ok()) break;
    ucx_->Close();
  }
  if (own_level) ucs_global_opts_set_value("LOG_LEVEL", "error");
  return status;
}

absl::StatusOr<std::string> UcxWorker::Address() const {
  ucp_address_t* bytes;
  size_t size;
  const ucs_status_t status = ucp_worker_get_address(ucx_->worker, &bytes, &size);
  if (status != UCS_OK) return UcxError("the address of this rank", status);
  std::string address(reinterpret_cast<const char*>(bytes), size);
  ucp_worker_release_address(ucx_->worker, bytes);
  return address;
}

void UcxWorker::SetPeers(int count) { ucx_->endpoints.resize(static_cast<size_t>(count)); }

absl::Status UcxWorker::Connect(int peer, const std::string& address, bool report_failure) {
  Ucx::Endpoint& endpoint = ucx_->endpoints[static_cast<size_t>(peer)];
  endpoint.ucx = ucx_.get();
  endpoint.reports_failure = report_failure;
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(address.data());
  params.err_mode = report_failure ? UCP_ERR_HANDLING_MODE_PEER : UCP_ERR_HANDLING_MODE_NONE;
  params.err_handler.cb = Ucx::OnEndpointFailed;
  params.err_handler.arg = &endpoint;
  const ucs_status_t status = ucp_ep_create(ucx_->worker, &params, &endpoint.handle);
  if (status == UCS_OK) return absl::OkStatus();
  endpoint.handle = nullptr;
  return UcxError(absl::StrCat("rank ", peer, " cannot be reached"), status);
}

bool UcxWorker::connected(int peer) const {
  return ucx_->endpoints[static_cast<size_t>(peer)].handle != nullptr;
}

bool UcxWorker::reports_failure(int peer) const {
  return ucx_->endpoints[static_cast<size_t>(peer)].reports_failure;
}

void UcxWorker::Send(Transfer& transfer, const void* data, uint64_t tag) {
  transfer.worker = this;
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = Ucx::OnSent;
  param.user_data = &transfer;
  ucs_status_ptr_t request = ucp_tag_send_nbx(ucx_->endpoints[static_cast<size_t>(transfer.peer)].handle,
                                              data, static_cast<size_t>(transfer.bytes), tag, &param);
  // Sent, or failed, before the call returned: then UCX does not call back.
  if (!UCS_PTR_IS_PTR(request)) Ucx::Complete(transfer, UCS_PTR_STATUS(request), transfer.bytes);
}

void UcxWorker::Recv(Transfer& transfer, void* data, uint64_t tag) {
  transfer.worker = this;
  ucp_request_param_t param{};
  // The callback is called for a message that is already here, too, and then before this call returns.
  param.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  param.cb.recv = Ucx::OnReceived;
  param.user_data = &transfer;
  ucs_status_ptr_t request = ucp_tag_recv_nbx(ucx_->worker, data, static_cast<size_t>(transfer.bytes), tag,
                                              /*tag_mask=*/~0ull, &param);
  if (UCS_PTR_IS_ERR(request)) Ucx::Complete(transfer, UCS_PTR_STATUS(request), 0);
  if (!transfer.completed) transfer.request = request;
}

void UcxWorker::Flush(Transfer& transfer) {
  transfer.worker = this;
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = Ucx::OnSent;
  param.user_data = &transfer;
  ucs_status_ptr_t request = ucp_worker_flush_nbx(ucx_->worker, &param);
  if (!UCS_PTR_IS_PTR(request)) Ucx::Complete(transfer, UCS_PTR_STATUS(request), 0);
}

void UcxWorker::Cancel(const Transfer& transfer) {
  if (transfer.request != nullptr) ucp_request_cancel(ucx_->worker, transfer.request);
}

bool UcxWorker::Progress() { return ucp_worker_progress(ucx_->worker) != 0; }

// Bounded: peers that go on sending must not keep us here.
void UcxWorker::Drain() {
  for (int i = 0; i < 100'000 && Progress(); ++i) {
  }
}

void UcxWorker::CloseFailingEndpoints(int64_t patience_ns) {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = UCP_EP_CLOSE_FLAG_FORCE;  // without a flush, which a lost peer would never answer
  std::vector<void*> closing;
  for (const Ucx::Endpoint& endpoint : ucx_->endpoints) {
    if (endpoint.handle == nullptr || !endpoint.reports_failure) continue;
    void* request = ucp_ep_close_nbx(endpoint.handle, &param);
    if (UCS_PTR_IS_PTR(request)) closing.push_back(request);
  }
  const int64_t end = MonotonicNs() + patience_ns;
  for (void* request : closing) {
    while (ucp_request_check_status(request) == UCS_INPROGRESS && MonotonicNs() < end) Progress();
    ucp_request_free(request);
  }
}

void UcxWorker::LeakContext() { ucx_->leaks_context = true; }

}  // namespace galley::comm
