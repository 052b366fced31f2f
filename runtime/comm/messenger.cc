#include "runtime/comm/messenger.h"

#include <time.h>
#include <ucp/api/ucp.h>
#include <ucs/config/global_opts.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"
#include "runtime/comm/address.h"

namespace galley::comm {
namespace {

constexpr int kRanksAtMost = 1024;
constexpr size_t kTransfersAtMost = 128;  // in one collective
// How a rank waits: it polls for about 0.1 ms, then naps between polls, since on a node with fewer cores than
// threads the rank we wait for may need our core. (A yield instead of a nap costs whole time slices there.)
constexpr int64_t kSpins = 1000;
constexpr timespec kNap{0, 20'000};
constexpr int64_t kEarlyBytes[2] = {16, 512 << 10};  // of greeting messages that come unexpected
constexpr int64_t kCheckEveryNs = 1'000'000;
constexpr int64_t kLastWordsNs = 100'000'000;  // for telling the peers of a failure
// A rank that breaks off says so before it lets go of its buffers; a rank that ends is told by its socket.
constexpr int64_t kExplainNs = 500'000'000;  // for a failed message to be explained by either
constexpr int64_t kLeaveNs = 1'000'000'000;  // for what is still on its way when a group ends

int64_t NowNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * int64_t{1'000'000'000} + t.tv_nsec;
}

// The 64 bits of a tag: 24 of the cookie's hash, 10 of the sender, 2 of the kind, 28 of the collective.
enum class Kind : uint64_t { kHello = 0, kData = 1, kNotice = 2 };

ucp_tag_t Tag(uint64_t cookie, int sender, Kind kind, uint32_t sequence) {
  uint64_t hash = cookie * 0x9e3779b97f4a7c15;
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93;
  return (hash >> 40) << 40 | static_cast<uint64_t>(sender) << 30 | static_cast<uint64_t>(kind) << 28 |
         (sequence & 0xfffffff);
}

absl::Status UcxError(absl::string_view what, ucs_status_t status) {
  return absl::UnavailableError(absl::StrCat(what, ": UCX: ", ucs_status_string(status)));
}

}  // namespace

struct Messenger::Ucx {
  ucp_context_h context = nullptr;
  ucp_worker_h worker = nullptr;
  // UCX 1.18 aborts when a context with a message that nobody took is cleaned up, and on shared memory such a
  // message cannot be taken back. The context is then left to the end of the process, which follows soon.
  bool unsent = false;

  ~Ucx() { Close(); }

  void Close() {
    if (worker != nullptr) ucp_worker_destroy(worker);
    if (context != nullptr && !unsent) ucp_cleanup(context);
    worker = nullptr;
    context = nullptr;
  }

  // UCX gives up altogether when one kind of shared memory is there but has no room, as /dev/shm (posix) has
  // in many containers. System V's needs no file system and is as fast, so it is the first choice.
  absl::Status Open() {
    const bool own_level = getenv("UCX_LOG_LEVEL") == nullptr;
    std::vector<const char*> choices = {"^posix", "^sysv", "^posix,sysv"};
    if (getenv("UCX_TLS") != nullptr) choices = {nullptr};
    absl::Status status;
    for (const char* transports : choices) {
      // UCX reads its log level while it is loaded, so an environment set by us would come too late.
      if (own_level) ucs_global_opts_set_value("LOG_LEVEL", transports == choices.back() ? "error" : "fatal");
      status = OpenWith(transports);
      if (status.ok()) break;
      Close();
    }
    if (own_level) ucs_global_opts_set_value("LOG_LEVEL", "error");
    return status;
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

    ucp_worker_params_t mode{};
    mode.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
    mode.thread_mode = UCS_THREAD_MODE_SERIALIZED;  // the step's thread and the gradient reducer's, in turn
    status = ucp_worker_create(context, &mode, &worker);
    return status == UCS_OK ? absl::OkStatus() : UcxError("opening the network", status);
  }

  static void OnSent(void* request, ucs_status_t status, void* user_data) {
    Transfer* transfer = static_cast<Transfer*>(user_data);
    transfer->owner->Completed(transfer, status, transfer->bytes);
    ucp_request_free(request);
  }

  static void OnReceived(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info,
                         void* user_data) {
    Transfer* transfer = static_cast<Transfer*>(user_data);
    transfer->owner->Completed(transfer, status, status == UCS_OK ? static_cast<int64_t>(info->length) : 0);
    ucp_request_free(request);
  }

  static void OnNotice(void* request, ucs_status_t status, const ucp_tag_recv_info_t*, void* user_data) {
    Peer* peer = static_cast<Peer*>(user_data);
    peer->notice_request = nullptr;
    peer->notice_came = status == UCS_OK;
    ucp_request_free(request);
  }

  static void OnEndpointFailed(void* arg, ucp_ep_h, ucs_status_t status) {
    Peer* peer = static_cast<Peer*>(arg);
    peer->owner->Failed(static_cast<int>(peer - peer->owner->peers_.data()), ucs_status_string(status));
  }
};

Messenger::Messenger(const UcxOptions& options) : options_(options), ucx_(std::make_unique<Ucx>()) {}

absl::StatusOr<std::unique_ptr<Messenger>> Messenger::Create(const UcxOptions& options) {
  std::unique_ptr<Messenger> messenger(new Messenger(options));
  RETURN_IF_ERROR(messenger->Open());
  return messenger;
}

absl::Status Messenger::Open() {
  RETURN_IF_ERROR(ucx_->Open());
  RETURN_IF_ERROR(liveness_.Listen());
  PeerAddress address;
  address.cookie = options_.cookie;
  address.host = HostIdentity();
  address.socket = liveness_.name();
  ucp_address_t* bytes;
  size_t size;
  ucs_status_t status = ucp_worker_get_address(ucx_->worker, &bytes, &size);
  if (status != UCS_OK) return UcxError("the address of this rank", status);
  address.worker.assign(reinterpret_cast<const char*>(bytes), size);
  ucp_worker_release_address(ucx_->worker, bytes);
  address_ = EncodeAddress(address);
  return absl::OkStatus();
}

Messenger::~Messenger() {
  if (connected_ && broken_.ok()) {
    if (abort_requested_) {
      Progress().IgnoreError();  // breaks, and tells the peers
    } else {
      for (int r : liveness_.Poll()) peers_[static_cast<size_t>(r)].lost = true;
      Drain();
      Leave();
    }
  }
  for (Peer& peer : peers_) {
    if (peer.notice_request != nullptr) ucp_request_cancel(ucx_->worker, peer.notice_request);
  }
  if (!broken_.ok()) DropEndpoints();
  ucx_->unsent = std::any_of(transfers_.begin(), transfers_.end(),
                             [](const Transfer& t) { return t.in_use && !t.receives && !t.done; });
}

// UCX does not destroy a worker with messages in flight to an endpoint that reports failures; such endpoints
// can be closed by force, which ends the messages. Others, those of shared memory, can not and need not.
void Messenger::DropEndpoints() {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = UCP_EP_CLOSE_FLAG_FORCE;
  std::vector<void*> closing;
  for (Peer& peer : peers_) {
    if (peer.endpoint == nullptr || !peer.reports_failure) continue;
    void* request = ucp_ep_close_nbx(static_cast<ucp_ep_h>(peer.endpoint), &param);
    if (UCS_PTR_IS_PTR(request)) closing.push_back(request);
  }
  const int64_t end = NowNs() + kLeaveNs;
  for (void* request : closing) {
    while (ucp_request_check_status(request) == UCS_INPROGRESS && NowNs() < end) {
      ucp_worker_progress(ucx_->worker);
    }
    ucp_request_free(request);
  }
}

absl::Status Messenger::Connect(int rank, const std::vector<std::string>& addresses) {
  CHECK(peers_.empty()) << "an endpoint connects once";
  const int size = static_cast<int>(addresses.size());
  if (size > kRanksAtMost) {
    return absl::InvalidArgumentError(absl::StrCat(size, " ranks: at most ", kRanksAtMost, " can connect"));
  }
  if (rank < 0 || rank >= size || addresses[static_cast<size_t>(rank)] != address_) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", rank, " of ", size, ": its place in the list does not hold its own address"));
  }
  rank_ = rank;
  peers_.resize(addresses.size());
  transfers_.resize(6 * addresses.size() + kTransfersAtMost);
  absl::Status status = ConnectPeers(addresses);
  if (status.ok()) status = Greet();
  connected_ = status.ok();
  return status.ok() ? status : Break(Annotate(status, "connecting the ranks"), Notice::kGaveUp, rank_);
}

absl::Status Messenger::ConnectPeers(const std::vector<std::string>& addresses) {
  ASSIGN_OR_RETURN(const PeerAddress self, DecodeAddress(address_));
  std::vector<std::string> sockets(addresses.size());
  for (int r = 0; r < size(); ++r) {
    if (r == rank_) continue;
    auto decoded = DecodeAddress(addresses[static_cast<size_t>(r)]);
    if (!decoded.ok()) return Annotate(decoded.status(), absl::StrCat("rank ", r));
    if (decoded->cookie != options_.cookie) {
      return absl::FailedPreconditionError(absl::StrCat(
          "rank ", r, " belongs to another attempt of the run; only ranks of one attempt connect"));
    }
    const bool same_host = options_.shared_memory && decoded->host == self.host;
    if (same_host) sockets[static_cast<size_t>(r)] = decoded->socket;
    Peer& peer = peers_[static_cast<size_t>(r)];
    peer.owner = this;
    peer.reports_failure = !same_host;
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                        UCP_EP_PARAM_FIELD_ERR_HANDLER;
    params.address = reinterpret_cast<const ucp_address_t*>(decoded->worker.data());
    // Asked to report a peer's failure, UCX leaves shared memory for TCP; on this host the sockets of
    // liveness_ report it.
    params.err_mode = same_host ? UCP_ERR_HANDLING_MODE_NONE : UCP_ERR_HANDLING_MODE_PEER;
    params.err_handler.cb = Ucx::OnEndpointFailed;
    params.err_handler.arg = &peer;
    ucp_ep_h endpoint;
    ucs_status_t status = ucp_ep_create(ucx_->worker, &params, &endpoint);
    if (status != UCS_OK) return UcxError(absl::StrCat("rank ", r, " cannot be reached"), status);
    peer.endpoint = endpoint;
  }
  liveness_.Start(rank_, options_.cookie, std::move(sockets));
  return absl::OkStatus();
}

// Each rank says hello to each. Before that it sends two messages, a small one and a large one, that the
// other receives only when it has heard the hello: so they have come unexpected, and UCX has filled the pools
// for such messages, which else it would do in the first step in which a rank is late.
absl::Status Messenger::Greet() {
  hello_ = {options_.cookie, rank_, size()};
  early_.resize(2 * kEarlyBytes[1]);
  for (int r = 0; r < size(); ++r) {
    if (r == rank_) continue;
    Peer& peer = peers_[static_cast<size_t>(r)];
    ListenForNotice(r);
    sequence_ = 1;
    for (size_t i = 0; i < 2; ++i) peer.early_out[i] = Send(r, early_.data(), kEarlyBytes[i]);
    sequence_ = 0;
    peer.hello_in = Recv(r, &peer.hello, sizeof(Hello));
    peer.hello_out = Send(r, &hello_, sizeof(Hello));
  }
  const int64_t deadline =
      NowNs() + absl::ToInt64Nanoseconds(std::min(options_.connect_timeout, absl::Hours(24 * 365)));
  for (bool waiting = true; waiting;) {
    Drain();
    RETURN_IF_ERROR(liveness_.Advance());
    for (int r : liveness_.Poll()) peers_[static_cast<size_t>(r)].lost = true;
    RETURN_IF_ERROR(transfer_error_);
    waiting = !liveness_.complete();
    for (int r = 0; r < size(); ++r) {
      if (r == rank_) continue;
      const Peer& peer = peers_[static_cast<size_t>(r)];
      bool greeted = Greeted(r);
      if (!greeted && (peer.lost || peer.notice_came || !failure_.ok())) {
        // A rank may be done with us, and with all its work, before we are done with all others.
        for (int i = 0; i < 2 && !greeted; ++i) {
          Drain();
          greeted = Greeted(r);
        }
        if (!greeted) return GreetingFailure(r);
      }
      if (!greeted) waiting = true;
      if (peer.greeted &&
          (peer.hello.cookie != options_.cookie || peer.hello.rank != r || peer.hello.size != size())) {
        return absl::FailedPreconditionError(absl::StrCat("rank ", r, " says it is rank ", peer.hello.rank,
                                                          " of ", peer.hello.size, ", not of ", size()));
      }
    }
    if (waiting && NowNs() > deadline) return GreetingTimeout();
    if (waiting) nanosleep(&kNap, nullptr);
  }
  sequence_ = 1;
  early_ = {};
  return absl::OkStatus();
}

bool Messenger::Greeted(int rank) {
  Peer& peer = peers_[static_cast<size_t>(rank)];
  if (!Take(peer.hello_in)) return false;
  if (!peer.greeted) {
    peer.greeted = true;
    sequence_ = 1;
    // All write the same bytes, which nobody reads.
    for (size_t i = 0; i < 2; ++i) {
      peer.early_in[i] = Recv(rank, early_.data() + kEarlyBytes[1], kEarlyBytes[i]);
    }
  }
  bool done = Take(peer.hello_out);
  for (size_t i = 0; i < 2; ++i) {
    // Each is taken, also when another is late.
    done = Take(peer.early_out[i]) && done;
    done = Take(peer.early_in[i]) && done;
  }
  return done;
}

absl::Status Messenger::GreetingFailure(int rank) const {
  const Peer& peer = peers_[static_cast<size_t>(rank)];
  if (peer.notice_came) return absl::UnavailableError(absl::StrCat("rank ", rank, " gave up connecting"));
  if (!peer.lost) return failure_;
  return absl::UnavailableError(
      absl::StrCat("rank ", rank, " ended, cannot be reached, or belongs to another attempt"));
}

absl::Status Messenger::GreetingTimeout() const {
  std::vector<int> missing;
  for (int r = 0; r < size(); ++r) {
    const Peer& peer = peers_[static_cast<size_t>(r)];
    if (r != rank_ && (!peer.greeted || peer.early_in[1] != nullptr)) missing.push_back(r);
  }
  return absl::DeadlineExceededError(absl::StrCat("no word from rank ", absl::StrJoin(missing, ", "),
                                                  " within ",
                                                  absl::FormatDuration(options_.connect_timeout)));
}

Transfer* Messenger::Claim(int peer, int64_t bytes, bool receives) {
  auto free = std::find_if(transfers_.begin(), transfers_.end(), [](const Transfer& t) { return !t.in_use; });
  CHECK(free != transfers_.end()) << "more messages in flight than planned";
  *free = Transfer{this, nullptr, bytes, peer, receives, true, false};
  return &*free;
}

bool Messenger::Take(Transfer*& transfer) {
  if (transfer == nullptr) return true;
  if (!transfer->done) return false;
  transfer->in_use = false;
  transfer = nullptr;
  return true;
}

void Messenger::Completed(Transfer* transfer, int ucs_status, int64_t bytes) {
  const ucs_status_t status = static_cast<ucs_status_t>(ucs_status);
  transfer->request = nullptr;
  const bool answered = status == UCS_OK || status == UCS_ERR_CANCELED || status == UCS_ERR_MESSAGE_TRUNCATED;
  // A flush (of all peers, counted as our own) tells nothing that a failed endpoint does not.
  transfer->done = answered || transfer->peer == rank_;
  if (status == UCS_ERR_CANCELED || (status == UCS_OK && bytes == transfer->bytes)) return;
  if (transfer->receives && (status == UCS_OK || status == UCS_ERR_MESSAGE_TRUNCATED)) {
    if (transfer_error_.ok()) {
      transfer_error_ = absl::InternalError(
          absl::StrCat("rank ", transfer->peer, " sent a message of another size than the ", transfer->bytes,
                       " bytes that rank ", rank_, " expects: the ranks disagree about the collective"));
    }
    return;
  }
  if (!transfer->done) Failed(transfer->peer, ucs_status_string(status));
}

// On this host a large message is read out of the sender's memory. That fails when the sender has ended, but
// also when it has broken off, on an abort or an error of others, and its buffers are gone.
void Messenger::Failed(int peer, const char* why) {
  if (peers_[static_cast<size_t>(peer)].reports_failure) {
    peers_[static_cast<size_t>(peer)].lost = true;
  } else if (failure_.ok()) {
    failed_at_ns_ = NowNs();
    failure_ =
        absl::UnavailableError(absl::StrCat("a message from or to rank ", peer, " failed: UCX: ", why));
  }
}

Transfer* Messenger::Send(int to, const void* data, int64_t bytes) {
  Transfer* transfer = Claim(to, bytes, false);
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = Ucx::OnSent;
  param.user_data = transfer;
  ucs_status_ptr_t request = ucp_tag_send_nbx(
      static_cast<ucp_ep_h>(peers_[static_cast<size_t>(to)].endpoint), data, static_cast<size_t>(bytes),
      Tag(options_.cookie, rank_, sequence_ == 0 ? Kind::kHello : Kind::kData, sequence_), &param);
  if (!UCS_PTR_IS_PTR(request)) Completed(transfer, UCS_PTR_STATUS(request), bytes);
  return transfer;
}

Transfer* Messenger::Recv(int from, void* data, int64_t bytes) {
  Transfer* transfer = Claim(from, bytes, true);
  ucp_request_param_t param{};
  // The callback is called for a message that is already here, too, and then before this call returns.
  param.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  param.cb.recv = Ucx::OnReceived;
  param.user_data = transfer;
  ucs_status_ptr_t request = ucp_tag_recv_nbx(
      ucx_->worker, data, static_cast<size_t>(bytes),
      Tag(options_.cookie, from, sequence_ == 0 ? Kind::kHello : Kind::kData, sequence_), ~0ull, &param);
  if (UCS_PTR_IS_ERR(request)) Completed(transfer, UCS_PTR_STATUS(request), 0);
  if (!transfer->done) transfer->request = request;
  return transfer;
}

void Messenger::ListenForNotice(int peer) {
  Peer& from = peers_[static_cast<size_t>(peer)];
  ucp_request_param_t param{};
  param.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  param.cb.recv = Ucx::OnNotice;
  param.user_data = &from;
  ucs_status_ptr_t request = ucp_tag_recv_nbx(ucx_->worker, &from.notice, sizeof(Notice),
                                              Tag(options_.cookie, peer, Kind::kNotice, 0), ~0ull, &param);
  if (UCS_PTR_IS_PTR(request) && !from.notice_came) from.notice_request = request;
}

absl::Status Messenger::BeginCollective() {
  RETURN_IF_ERROR(broken_);
  // Zero and one are the greeting's; the tag holds 28 bits of it.
  if ((++sequence_ & 0xfffffff) == 0) sequence_ += 2;
  idle_ = 0;
  if (abort_requested_.load(std::memory_order_acquire)) return Progress();
  return absl::OkStatus();
}

absl::Status Messenger::Progress() {
  if (abort_requested_.load(std::memory_order_acquire)) {
    std::unique_lock<std::mutex> lock(abort_mutex_);
    absl::Status reason = absl::AbortedError(abort_reason_);
    lock.unlock();
    return Break(std::move(reason), Notice::kGaveUp, rank_);
  }
  if (ucp_worker_progress(ucx_->worker) != 0) {
    idle_ = 0;
    if (++busy_ < kSpins) return absl::OkStatus();
  } else if (++idle_ < kSpins) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    return absl::OkStatus();
  }
  busy_ = 0;
  if (int64_t now = NowNs(); now >= next_check_ns_) {
    next_check_ns_ = now + kCheckEveryNs;
    RETURN_IF_ERROR(CheckPeers());
  }
  if (idle_ >= kSpins) nanosleep(&kNap, nullptr);
  return absl::OkStatus();
}

absl::Status Messenger::CheckPeers() {
  if (!transfer_error_.ok()) return Break(transfer_error_, Notice::kGaveUp, rank_);
  for (int r : liveness_.Poll()) peers_[static_cast<size_t>(r)].lost = true;
  const bool unexplained = !failure_.ok() && NowNs() - failed_at_ns_ > kExplainNs;
  auto troubled = [](const Peer& peer) { return peer.lost || peer.notice_came; };
  if (!unexplained && std::none_of(peers_.begin(), peers_.end(), troubled)) return absl::OkStatus();
  Drain();  // what a peer said before it ended is here by now
  // One that ended without a word comes before what others say of it; a leaver has no part in a failure.
  int lost = -1, left = -1;
  const Notice* told = nullptr;
  for (int r = 0; r < size(); ++r) {
    const Peer& peer = peers_[static_cast<size_t>(r)];
    if (!peer.notice_came) {
      if (peer.lost && lost < 0) lost = r;
    } else if (peer.notice.kind != Notice::kLeft) {
      if (told == nullptr || peer.notice.kind == Notice::kLost) told = &peer.notice;
    } else if (peer.notice.sequence < sequence_) {  // else it owes nothing to this collective
      left = r;
    }
  }
  if (lost < 0 && told != nullptr && told->kind == Notice::kLost) lost = told->about;
  if (lost >= 0) {
    return Break(absl::UnavailableError(absl::StrCat("rank ", lost, " was lost: its process ended")),
                 Notice::kLost, lost);
  }
  if (told != nullptr) {
    const int about = told->about;
    return Break(absl::UnavailableError(
                     absl::StrCat("rank ", about, " gave up: it was told to stop, or has met an error")),
                 Notice::kGaveUp, about);
  }
  if (left >= 0) {
    return Break(absl::UnavailableError(absl::StrCat("rank ", left, " has left the group")), Notice::kGaveUp,
                 left);
  }
  return unexplained ? Break(failure_, Notice::kGaveUp, rank_) : absl::OkStatus();
}

void Messenger::Drain() {
  for (int i = 0; i < 100'000 && ucp_worker_progress(ucx_->worker) != 0; ++i) {
  }
}

absl::Status Messenger::EndCollective() {
  RETURN_IF_ERROR(transfer_error_.ok() ? absl::OkStatus() : CheckPeers());
  Transfer* flush = Claim(rank_, 0, false);
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = Ucx::OnSent;
  param.user_data = flush;
  ucs_status_ptr_t request = ucp_worker_flush_nbx(ucx_->worker, &param);
  if (!UCS_PTR_IS_PTR(request)) Completed(flush, UCS_PTR_STATUS(request), 0);
  while (!Take(flush)) RETURN_IF_ERROR(Progress());
  return absl::OkStatus();
}

absl::Status Messenger::Break(absl::Status status, Notice::Kind kind, int about) {
  if (!broken_.ok()) return broken_;
  broken_ = std::move(status);
  for (Transfer& t : transfers_) {
    if (t.in_use && t.receives && t.request != nullptr) ucp_request_cancel(ucx_->worker, t.request);
  }
  farewell_ = {kind, about, sequence_};
  SayFarewell(kLastWordsNs);
  return broken_;
}

void Messenger::Leave() {
  farewell_ = {Notice::kLeft, rank_, sequence_};
  SayFarewell(kLeaveNs);
}

void Messenger::SayFarewell(int64_t patience_ns) {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = [](void* request, ucs_status_t, void* unsaid) {
    --*static_cast<int*>(unsaid);
    ucp_request_free(request);
  };
  param.user_data = &unsaid_;
  for (int r = 0; r < size(); ++r) {
    Peer& peer = peers_[static_cast<size_t>(r)];
    // What is said to an ended process would wait for ever; one that has said its own farewell does not
    // listen.
    if (r == rank_ || peer.endpoint == nullptr || peer.lost || peer.notice_came) continue;
    unsaid_ +=
        UCS_PTR_IS_PTR(ucp_tag_send_nbx(static_cast<ucp_ep_h>(peer.endpoint), &farewell_, sizeof(farewell_),
                                        Tag(options_.cookie, rank_, Kind::kNotice, 0), &param));
  }
  // A flush of the worker waits for what the network has, not for messages that had to queue before it.
  const int64_t end = NowNs() + patience_ns;
  while (unsaid_ > 0 && NowNs() < end) ucp_worker_progress(ucx_->worker);
  if (unsaid_ > 0) return;
  unsaid_ += UCS_PTR_IS_PTR(ucp_worker_flush_nbx(ucx_->worker, &param));
  while (unsaid_ > 0 && NowNs() < end) ucp_worker_progress(ucx_->worker);
}

void Messenger::Abort(const std::string& reason) {
  std::lock_guard<std::mutex> lock(abort_mutex_);
  if (abort_requested_) return;
  abort_reason_ = reason;
  abort_requested_.store(true, std::memory_order_release);
}

}  // namespace galley::comm
