#include "service/controller/nodes_service.h"

#include <deque>

#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "service/controller/controller_service.h"

namespace galley::service {
namespace {

// One attached trainerd. Reads one report at a time; orders queue in front of the one write gRPC allows.
class NodeStream : public grpc::ServerBidiReactor<v1::NodeReport, v1::NodeOrder>, public NodeLink {
 public:
  NodeStream(Core& core, const grpc::Status& denied) : core_(core) {
    if (!denied.ok()) {
      finished_ = true;
      Finish(denied);
      return;
    }
    StartRead(&report_);
  }
  void Send(const v1::NodeOrder& order) override {
    MutexLock lock(mutex_);
    if (finished_) return;
    queue_.push_back(order);
    Pump();
  }
  void OnReadDone(bool ok) override {
    if (!ok) {
      EndWith(grpc::Status::OK);
      return;
    }
    if (absl::Status status = core_.OnReport(this, report_); !status.ok()) {
      // Of a refused version Core says so once: such a node tries again all the time.
      const bool said = report_.has_hello() && absl::IsFailedPrecondition(status);
      if (!said) LogWarning("a node's report was refused: ", status.message());
      EndWith(ToGrpc(status));
      return;
    }
    StartRead(&report_);
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (ok && !finished_) Pump();
  }
  void OnCancel() override { EndWith(grpc::Status::CANCELLED); }
  void OnDone() override {
    core_.OnDetach(this);
    delete this;
  }

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || queue_.empty()) return;
    writing_ = true;
    StartWrite(&queue_.front());
  }
  void EndWith(const grpc::Status& status) {
    MutexLock lock(mutex_);
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  Core& core_;
  v1::NodeReport report_;
  Mutex mutex_;
  std::deque<v1::NodeOrder> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

grpc::ServerBidiReactor<v1::NodeReport, v1::NodeOrder>* NodesService::Attach(
    grpc::CallbackServerContext* context) {
  return new NodeStream(core_, gate_.Check(*context));
}

}  // namespace galley::service
