#include "tests/golden/thread_group.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley::golden {
namespace {

double Get(View v, int64_t i) {
  switch (v.dtype) {
    case DType::kF32:
      return v.As<float>()[i];
    case DType::kF64:
      return v.As<double>()[i];
    case DType::kI64:
      return static_cast<double>(v.As<int64_t>()[i]);
    default:
      CHECK(false) << "no collective for " << Name(v.dtype);
      return 0;
  }
}

void Set(View v, int64_t i, double x) {
  if (v.dtype == DType::kF32) v.As<float>()[i] = static_cast<float>(x);
  if (v.dtype == DType::kF64) v.As<double>()[i] = x;
  if (v.dtype == DType::kI64) v.As<int64_t>()[i] = static_cast<int64_t>(x);
}

}  // namespace

class ThreadGroup::Member : public comm::Group {
 public:
  Member(ThreadGroup* all, int rank) : all_(all), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(all_->slots_.size()); }

  absl::Status AllReduceSum(View data) override {
    return Reduce(data, [](double a, double b) { return a + b; });
  }
  absl::Status AllReduceMax(View data) override {
    return Reduce(data, [](double a, double b) { return std::max(a, b); });
  }
  absl::Status ReduceScatterSum(View data, View shard) override {
    RETURN_IF_ERROR(AllReduceSum(data));
    const auto bytes = static_cast<size_t>(shard.bytes());
    std::memcpy(shard.data, static_cast<char*>(data.data) + static_cast<size_t>(rank_) * bytes, bytes);
    return absl::OkStatus();
  }
  absl::Status AllGather(View shard, View data) override {
    const auto bytes = static_cast<size_t>(shard.bytes());
    Bring(shard);
    for (size_t r = 0; r < all_->slots_.size(); ++r) {
      std::memcpy(static_cast<char*>(data.data) + r * bytes, all_->slots_[r].data, bytes);
    }
    all_->barrier_.arrive_and_wait();
    return absl::OkStatus();
  }
  absl::Status Broadcast(View data, int root) override {
    Bring(data);
    if (rank_ != root) {
      std::memcpy(data.data, all_->slots_[static_cast<size_t>(root)].data, static_cast<size_t>(data.bytes()));
    }
    all_->barrier_.arrive_and_wait();
    return absl::OkStatus();
  }
  absl::Status Barrier() override {
    all_->barrier_.arrive_and_wait();
    return absl::OkStatus();
  }
  void Abort(const std::string& reason) override { CHECK(false) << reason; }

 private:
  void Bring(View mine) {
    all_->slots_[static_cast<size_t>(rank_)] = mine;
    all_->barrier_.arrive_and_wait();
  }

  absl::Status Reduce(View data, double (*join)(double, double)) {
    Bring(data);
    std::vector<double> result(static_cast<size_t>(data.elements()));
    for (int64_t i = 0; i < data.elements(); ++i) {
      double x = Get(all_->slots_[0], i);
      for (size_t r = 1; r < all_->slots_.size(); ++r) x = join(x, Get(all_->slots_[r], i));
      result[static_cast<size_t>(i)] = x;
    }
    all_->barrier_.arrive_and_wait();
    for (int64_t i = 0; i < data.elements(); ++i) Set(data, i, result[static_cast<size_t>(i)]);
    all_->barrier_.arrive_and_wait();
    return absl::OkStatus();
  }

  ThreadGroup* all_;
  int rank_;
};

ThreadGroup::ThreadGroup(int size) : barrier_(size), slots_(static_cast<size_t>(size)) {
  for (int r = 0; r < size; ++r) members_.push_back(std::make_unique<Member>(this, r));
}

ThreadGroup::~ThreadGroup() = default;

void ThreadGroup::Run(const std::function<void(comm::Group* group)>& body) const {
  std::vector<std::thread> threads;
  for (const auto& member : members_) threads.emplace_back([&] { body(member.get()); });
  for (std::thread& t : threads) t.join();
}

}  // namespace galley::golden
