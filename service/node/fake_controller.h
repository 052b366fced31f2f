// A controller for tests of trainerd: takes and acknowledges every report, and gives a test's orders.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "galley/v1/node.grpc.pb.h"

namespace galley::service {

class FakeController : public v1::Nodes::Service {
 public:
  // Any other answer than OK refuses every node.
  explicit FakeController(const std::string& address, bool acknowledge = true,
                          const grpc::Status& answer = grpc::Status::OK)
      : acknowledge_(acknowledge), answer_(answer) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeController() override {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  grpc::Status Attach(grpc::ServerContext*,
                      grpc::ServerReaderWriter<v1::NodeOrder, v1::NodeReport>* stream) override {
    v1::NodeReport report;
    if (!answer_.ok()) {
      stream->Read(&report);
      std::lock_guard lock(mutex_);
      ++refused_;
      changed_.notify_all();
      return answer_;
    }
    while (stream->Read(&report)) {
      if (acknowledge_ && report.sequence() > 0) {
        v1::NodeOrder ack;
        ack.mutable_ack()->set_sequence(report.sequence());
        std::lock_guard lock(mutex_);
        stream->Write(ack);
      }
      std::lock_guard lock(mutex_);
      if (report.has_hello()) {
        stream_ = stream;
        ++attached_;
      }
      reports_.push_back(report);
      changed_.notify_all();
    }
    std::lock_guard lock(mutex_);
    if (stream_ == stream) stream_ = nullptr;
    return grpc::Status::OK;
  }

  // Waits for the first attachment.
  void Send(const v1::NodeOrder& order) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(30), [&] { return stream_ != nullptr; });
    if (stream_ != nullptr) stream_->Write(order);
  }

  bool WaitRefused(int times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return refused_ >= times; });
  }

  using Match = std::function<bool(const v1::NodeReport&)>;
  // The first report that matches, waited for; an empty one when none comes.
  v1::NodeReport Wait(const Match& match, int seconds = 30) {
    std::unique_lock lock(mutex_);
    v1::NodeReport found;
    changed_.wait_for(lock, std::chrono::seconds(seconds), [&] {
      for (const auto& report : reports_) {
        if (!match(report)) continue;
        found = report;
        return true;
      }
      return false;
    });
    return found;
  }
  std::vector<v1::NodeReport> reports() {
    std::lock_guard lock(mutex_);
    return reports_;
  }

 private:
  const bool acknowledge_;
  const grpc::Status answer_;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<v1::NodeReport> reports_;  // this and below: guarded by mutex_
  grpc::ServerReaderWriter<v1::NodeOrder, v1::NodeReport>* stream_ = nullptr;
  int attached_ = 0;
  int refused_ = 0;
};

// What to wait for.
inline FakeController::Match Exited(int rank, int64_t attempt = 1) {
  return [=](const v1::NodeReport& r) {
    return r.has_exited() && r.exited().rank() == rank && r.exited().attempt() == attempt;
  };
}
inline FakeController::Match AttemptOver(int64_t attempt = 1) {
  return [=](const v1::NodeReport& r) {
    return r.has_attempt_stopped() && r.attempt_stopped().attempt() == attempt;
  };
}
inline FakeController::Match TrainingOf(int rank, int64_t attempt = 1) {
  return [=](const v1::NodeReport& r) {
    return r.has_rank() && r.rank().report().has_training() && r.rank().rank() == rank &&
           r.rank().attempt() == attempt;
  };
}
inline FakeController::Match NoticeOf(v1::NoticeKind::Value kind) {
  return [=](const v1::NodeReport& r) {
    return r.has_rank() && r.rank().report().has_notice() && r.rank().report().notice().kind() == kind;
  };
}
inline FakeController::Match CheckpointAt(int64_t step) {
  return [=](const v1::NodeReport& r) {
    return r.has_rank() && r.rank().report().has_checkpoint() &&
           r.rank().report().checkpoint().step() == step;
  };
}
inline bool IsRunning(const v1::NodeReport& r) { return r.has_running(); }
inline bool IsHung(const v1::NodeReport& r) { return r.has_hung(); }

}  // namespace galley::service
