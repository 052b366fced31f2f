// For tests: a Store in memory, which fails on order.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "service/run/store.h"

namespace galley::service {

class MemoryStore : public Store {
 public:
  absl::StatusOr<Created> Create(Run run, const std::string&, absl::Time) override {
    run.event_seq = 1;
    rows_[run.id] = run;
    EventRecord first;
    first.seq = 1;
    first.kind = EventKind::kSubmitted;
    events_[run.id].push_back(first);
    return Created{run, false};
  }
  absl::StatusOr<Applied> Apply(const std::string& id, const Event& event, absl::Time now) override {
    if (fail_ > 0 && --fail_ >= 0) return absl::ResourceExhaustedError("disk full");
    absl::StatusOr<Applied> applied = service::Apply(rows_.at(id), event, now);
    if (applied.ok() && applied->changed) {
      rows_[id] = applied->run;
      events_[id].push_back(applied->record);
    }
    return applied;
  }
  absl::StatusOr<Run> Get(const std::string& id) const override {
    auto it = rows_.find(id);
    if (it == rows_.end()) return absl::NotFoundError(id);
    return it->second;
  }
  absl::Status KeepPlan(const std::string& id, const RunPlan& plan) override {
    rows_.at(id).plan = plan;
    return absl::OkStatus();
  }
  absl::StatusOr<Run> FindByKey(const std::string& key) const override { return absl::NotFoundError(key); }
  absl::StatusOr<Run> Resolve(const std::string& id) const override { return Get(id); }
  absl::StatusOr<std::vector<Run>> List() const override {
    std::vector<Run> runs;
    for (const auto& [id, run] : rows_) runs.push_back(run);
    return runs;
  }
  absl::StatusOr<std::vector<EventRecord>> Events(const std::string& id, int64_t) const override {
    return events_.at(id);
  }
  int fail_ = 0;

 private:
  std::map<std::string, Run> rows_;
  std::map<std::string, std::vector<EventRecord>> events_;
};

}  // namespace galley::service
