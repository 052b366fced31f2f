#include "tests/golden/thread_group.h"

#include <algorithm>
#include <barrier>
#include <cstring>
#include <thread>
#include <utility>

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

struct ThreadGroup::Meeting {
  explicit Meeting(int size) : barrier(size), slots(static_cast<size_t>(size)) {}
  std::barrier<> barrier;
  std::vector<View> slots;  // what each rank brought to the collective under way
};

class ThreadGroup::Member : public comm::Group {
 public:
  Member(std::shared_ptr<Meeting> all, int rank) : all_(std::move(all)), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(all_->slots.size()); }

  absl::Status AllReduceSum(Stream& stream, View data) override {
    const Access access(DeviceOf(stream), {data.data});
    return Reduce(data, [](double a, double b) { return a + b; });
  }
  absl::Status AllReduceMax(Stream& stream, View data) override {
    const Access access(DeviceOf(stream), {data.data});
    return Reduce(data, [](double a, double b) { return std::max(a, b); });
  }
  absl::Status ReduceScatterSum(Stream& stream, View data, View shard) override {
    RETURN_IF_ERROR(AllReduceSum(stream, data));
    const auto bytes = static_cast<size_t>(shard.bytes());
    std::memcpy(shard.data, static_cast<char*>(data.data) + static_cast<size_t>(rank_) * bytes, bytes);
    return absl::OkStatus();
  }
  absl::Status AllGather(Stream&, View shard, View data) override {
    const auto bytes = static_cast<size_t>(shard.bytes());
    Bring(shard);
    for (size_t r = 0; r < all_->slots.size(); ++r) {
      std::memcpy(static_cast<char*>(data.data) + r * bytes, all_->slots[r].data, bytes);
    }
    all_->barrier.arrive_and_wait();
    return absl::OkStatus();
  }
  absl::Status Broadcast(Stream&, View data, int root) override {
    Bring(data);
    if (rank_ != root) {
      std::memcpy(data.data, all_->slots[static_cast<size_t>(root)].data, static_cast<size_t>(data.bytes()));
    }
    all_->barrier.arrive_and_wait();
    return absl::OkStatus();
  }
  absl::Status Barrier() override {
    all_->barrier.arrive_and_wait();
    return absl::OkStatus();
  }
  absl::Status Send(Stream&, View, int to) override { return Unsupported(to); }
  absl::Status Recv(Stream&, View, int from) override { return Unsupported(from); }

  absl::StatusOr<std::unique_ptr<comm::Group>> Split(int color, int key) override {
    struct Entry {
      int color, key;
      std::shared_ptr<Meeting> made;
    };
    Entry own{color, key, nullptr};
    Bring(View(&own, DType::kU8, {}));
    const auto entry = [this](int r) {
      return static_cast<Entry*>(all_->slots[static_cast<size_t>(r)].data);
    };
    std::vector<int> members;
    for (int r = 0; r < size(); ++r) {
      if (entry(r)->color == color) members.push_back(r);
    }
    std::stable_sort(members.begin(), members.end(),
                     [&](int a, int b) { return entry(a)->key < entry(b)->key; });
    if (members[0] == rank_) own.made = std::make_shared<Meeting>(static_cast<int>(members.size()));
    all_->barrier.arrive_and_wait();
    const std::shared_ptr<Meeting> made = entry(members[0])->made;
    all_->barrier.arrive_and_wait();
    const auto index = std::find(members.begin(), members.end(), rank_) - members.begin();
    return std::make_unique<Member>(made, static_cast<int>(index));
  }

  void Abort(const std::string& reason) override { CHECK(false) << reason; }

 private:
  static absl::Status Unsupported(int rank) {
    CHECK(false) << "no messages between threads: to or from rank " << rank;
    return absl::OkStatus();
  }

  void Bring(View mine) {
    all_->slots[static_cast<size_t>(rank_)] = mine;
    all_->barrier.arrive_and_wait();
  }

  absl::Status Reduce(View data, double (*join)(double, double)) {
    Bring(data);
    std::vector<double> result(static_cast<size_t>(data.elements()));
    for (int64_t i = 0; i < data.elements(); ++i) {
      double x = Get(all_->slots[0], i);
      for (size_t r = 1; r < all_->slots.size(); ++r) x = join(x, Get(all_->slots[r], i));
      result[static_cast<size_t>(i)] = x;
    }
    all_->barrier.arrive_and_wait();
    for (int64_t i = 0; i < data.elements(); ++i) Set(data, i, result[static_cast<size_t>(i)]);
    all_->barrier.arrive_and_wait();
    return absl::OkStatus();
  }

  std::shared_ptr<Meeting> all_;
  int rank_;
};

ThreadGroup::ThreadGroup(int size) {
  auto all = std::make_shared<Meeting>(size);
  for (int r = 0; r < size; ++r) members_.push_back(std::make_unique<Member>(all, r));
}

ThreadGroup::~ThreadGroup() = default;

void ThreadGroup::Run(const std::function<void(comm::Group* group)>& body) const {
  std::vector<std::thread> threads;
  for (const auto& member : members_) threads.emplace_back([&] { body(member.get()); });
  for (std::thread& t : threads) t.join();
}

}  // namespace galley::golden
