#include "service/trainctl/private/stored_run.h"

#include <algorithm>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/metrics/json_line.h"
#include "runtime/metrics/report.h"
#include "service/view/checkpoint_rows.h"
#include "service/view/names.h"

namespace galley::trainctl {
namespace {

constexpr size_t kLogChunk = 1 << 20;

// What the controller wrote; no value where one is missing or of another kind.
std::string Text(const Json& json, absl::string_view key) {
  const Json* const member = json.Find(key);
  return member != nullptr && member->is_string() ? member->text : "";
}

std::optional<int64_t> Count(const Json& json, absl::string_view key) {
  const Json* const member = json.Find(key);
  if (member == nullptr || member->kind != Json::Kind::kInt) return std::nullopt;
  return member->integer;
}

std::optional<double> Real(const Json& json, absl::string_view key) {
  const Json* const member = json.Find(key);
  return member == nullptr ? std::nullopt : member->Number();
}

std::vector<v1::EventMessage> ReadEvents(const std::string& run_dir) {
  std::vector<v1::EventMessage> events;
  std::istringstream in(ReadFile(JoinPath(run_dir, "events.jsonl")).value_or(""));
  for (std::string line; std::getline(in, line);) {
    const absl::StatusOr<Json> parsed = ParseJson(line);
    if (!parsed.ok() || !parsed->is_object()) continue;
    const Json& json = *parsed;
    v1::EventMessage event;
    event.set_seq(Count(json, "seq").value_or(0));
    absl::Time time;
    if (absl::ParseTime(absl::RFC3339_full, Text(json, "time"), &time, nullptr))
      event.set_unix_ms(absl::ToUnixMillis(time));
    event.set_kind(view::KindNamed(Text(json, "kind")));
    event.set_attempt(Count(json, "attempt").value_or(0));
    event.set_from_state(view::StateNamed(Text(json, "from")));
    event.set_to_state(view::StateNamed(Text(json, "to")));
    event.set_message(Text(json, "message"));
    events.push_back(std::move(event));
  }
  return events;
}

// The steps of metrics.jsonl's whole lines, the newest first, until `take` returns false.
template <class Take>
void EachStepBack(const std::string& metrics, const Take& take) {
  for (size_t end = metrics.rfind('\n'); end != std::string::npos && end > 0;) {
    const size_t before = metrics.rfind('\n', end - 1);
    const size_t begin = before == std::string::npos ? 0 : before + 1;
    const auto step = metrics::ReadJsonLine(absl::string_view(metrics).substr(begin, end - begin));
    if (step.has_value() && !take(*step)) return;
    end = before;
  }
}

struct LogFile {
  int64_t attempt = 0;
  int32_t rank = 0;
  std::string path;
};

std::vector<LogFile> ListLogs(const std::string& run_dir) {
  const std::string dir = JoinPath(run_dir, "logs");
  const absl::StatusOr<std::vector<std::string>> names = ListDir(dir);
  std::vector<LogFile> files;
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>{}) {
    LogFile file;
    absl::string_view rest = name;
    if (!absl::ConsumePrefix(&rest, "attempt-") || !absl::ConsumeSuffix(&rest, ".log")) continue;
    const size_t at = rest.find(".rank-");
    if (at == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(0, at), &file.attempt) ||
        !absl::SimpleAtoi(rest.substr(at + 6), &file.rank)) {
      continue;
    }
    file.path = JoinPath(dir, name);
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const LogFile& a, const LogFile& b) {
    return std::make_pair(a.attempt, a.rank) < std::make_pair(b.attempt, b.rank);
  });
  return files;
}

class StoredRun : public Client {
 public:
  explicit StoredRun(PrivateRun run) : run_(std::move(run)) {}

  absl::StatusOr<v1::RunSummary> Get(const std::string&) override {
    v1::RunSummary s;
    s.set_run_id(run_.run_id);
    s.set_name(run_.name);
    s.set_run_dir(run_.run_dir);
    if (const auto recipe = ReadRunRecipe(run_.run_dir); recipe.ok()) {
      s.set_recipe_hash(recipe->prepared->plan.recipe_hash);
      s.set_total_steps(recipe->prepared->plan.total_steps);
    }
    const std::vector<v1::EventMessage> events = ReadEvents(run_.run_dir);
    if (!events.empty()) {
      s.set_created_unix_ms(events.front().unix_ms());
      s.set_updated_unix_ms(events.back().unix_ms());
    }
    RETURN_IF_ERROR(FileExists(JoinPath(run_.run_dir, "result.json")) ? AddResult(s) : AddEvents(events, s));
    AddLastStep(s);
    if (!view::IsOver(s.state())) s.set_next(absl::StrCat("waits for: trainctl resume ", run_.run_id));
    return s;
  }

  absl::StatusOr<v1::CheckpointsReply> Checkpoints(const std::string&) override {
    v1::CheckpointsReply reply;
    for (const checkpoint::Entry& entry : checkpoint::List(Folder())) {
      *reply.add_checkpoints() = view::MessageOf(entry);
    }
    return reply;
  }

  absl::Status Watch(const v1::WatchRequest& request, absl::Duration,
                     const std::function<bool(const v1::WatchReply&)>& take) override {
    v1::WatchReply reply;
    ASSIGN_OR_RETURN(*reply.mutable_run(), Get(request.run()));
    // Without a result it did not stand still when its daemons ended, and nothing will move it now.
    if (!FileExists(JoinPath(run_.run_dir, "result.json"))) return NoDaemons(run_);
    take(reply);
    return absl::OkStatus();
  }
  absl::Status Events(const v1::EventsRequest& request,
                      const std::function<bool(const v1::EventMessage&)>& take) override {
    for (const v1::EventMessage& event : ReadEvents(run_.run_dir)) {
      if (event.seq() > request.since() && !take(event)) break;
    }
    return absl::OkStatus();
  }
  absl::Status Logs(const v1::LogsRequest& request,
                    const std::function<bool(const v1::LogChunk&)>& take) override {
    for (const LogFile& file : ListLogs(run_.run_dir)) {
      if ((request.rank() >= 0 && file.rank != request.rank()) ||
          (request.attempt() > 0 && file.attempt != request.attempt())) {
        continue;
      }
      ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(file.path));
      const absl::string_view text = mapped.text();
      for (size_t at = 0; at < text.size();) {
        // Whole lines, unless one is longer than a chunk.
        size_t size = std::min(kLogChunk, text.size() - at);
        if (const size_t line = text.substr(at, size).rfind('\n'); line != absl::string_view::npos)
          size = at + size < text.size() ? line + 1 : size;
        v1::LogChunk chunk;
        chunk.set_rank(file.rank);
        chunk.set_attempt(file.attempt);
        chunk.set_text(std::string(text.substr(at, size)));
        at += size;
        if (!take(chunk)) return absl::OkStatus();
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<v1::VersionReply> Version(absl::Duration) override { return NoDaemons(run_); }
  absl::StatusOr<v1::SubmitReply> Submit(const v1::SubmitRequest&) override { return NoDaemons(run_); }
  absl::StatusOr<v1::ListReply> List(const v1::ListRequest&) override { return NoDaemons(run_); }
  absl::StatusOr<v1::RunSummary> Stop(const v1::StopRequest&) override { return NoDaemons(run_); }
  absl::StatusOr<v1::RunSummary> Resume(const v1::ResumeRequest&) override { return NoDaemons(run_); }
  absl::StatusOr<v1::SaveReply> Save(const v1::SaveRequest&, absl::Duration) override {
    return NoDaemons(run_);
  }
  absl::StatusOr<v1::NodesReply> Nodes() override { return NoDaemons(run_); }
  void CancelStreams() override {}
  const std::string& address() const override { return run_.run_dir; }

 private:
  std::string Folder() const {
    const auto recipe = ReadRunRecipe(run_.run_dir);
    return recipe.ok() ? CheckpointFolder(recipe->prepared->spec, run_.run_dir)
                       : JoinPath(run_.run_dir, "checkpoints");
  }

  absl::Status AddResult(v1::RunSummary& s) const {
    const std::string path = JoinPath(run_.run_dir, "result.json");
    ASSIGN_OR_RETURN(std::string text, ReadFile(path));
    const absl::StatusOr<Json> parsed = ParseJson(text);
    if (!parsed.ok() || !parsed->is_object()) {
      return absl::DataLossError(
          absl::StrCat(path, ": damaged; 'trainctl resume ", run_.run_id, "' writes it anew"));
    }
    const Json& result = *parsed;
    s.set_state(view::StateNamed(Text(result, "state")));
    s.set_reason(Text(result, "reason"));
    s.set_stop_cause(view::CauseNamed(Text(result, "stop_cause")));
    s.set_attempt(Count(result, "attempts").value_or(0));
    s.set_step(Count(result, "steps").value_or(0));
    s.set_total_steps(Count(result, "total_steps").value_or(s.total_steps()));
    metrics::StepRecord latest;
    if (const auto loss = Real(result, "loss")) latest.Set<"loss">(*loss);
    if (const auto loss = Real(result, "validation_loss")) latest.Set<"validation_loss">(*loss);
    *s.mutable_latest() = metrics::ToReport(latest);
    if (const auto seconds = Real(result, "wall_seconds")) s.set_wall_seconds(*seconds);
    if (const Json* const saved = result.Find("checkpoint"); saved != nullptr && saved->is_object()) {
      s.set_last_checkpoint_step(Count(*saved, "step").value_or(0));
      s.set_last_checkpoint_path(Text(*saved, "path"));
    }
    return absl::OkStatus();
  }

  // The daemons were killed before the run stood still.
  absl::Status AddEvents(const std::vector<v1::EventMessage>& events, v1::RunSummary& s) const {
    if (events.empty()) {
      return absl::NotFoundError(absl::StrCat(
          run_.run_dir, ": neither result.json nor events.jsonl tells how run ", run_.run_id, " stands"));
    }
    s.set_state(events.back().to_state());
    s.set_attempt(events.back().attempt());
    s.set_reason("its daemons ended before it stood still");
    for (const checkpoint::Entry& entry : checkpoint::List(Folder())) {
      if (!entry.status.ok()) continue;
      s.set_last_checkpoint_step(entry.step);
      s.set_last_checkpoint_path(entry.path);
    }
    s.set_step(s.last_checkpoint_step());
    return absl::OkStatus();
  }

  // What only metrics.jsonl knows, when the recipe asks for it: the last step, and the last evaluation where
  // the result has none.
  void AddLastStep(v1::RunSummary& s) const {
    const std::string metrics = ReadFile(JoinPath(run_.run_dir, "metrics.jsonl")).value_or("");
    metrics::StepRecord latest = metrics::FromReport(s.latest());
    bool known = false;
    EachStepBack(metrics, [&](const metrics::StepRecord& step) {
      if (!known && step.attempt() != s.attempt()) return false;
      if (!known) {
        const auto evaluated = latest.Get<"validation_loss">();
        latest.Take(step);
        if (evaluated) latest.Set<"validation_loss">(*evaluated);
        s.set_step(std::max(s.step(), step.step()));
        known = true;
      } else if (const auto loss = step.Get<"validation_loss">(); loss && !latest.Get<"validation_loss">()) {
        latest.Set<"validation_loss">(*loss);
      }
      return !latest.Get<"validation_loss">();
    });
    *s.mutable_latest() = metrics::ToReport(latest);
  }

  const PrivateRun run_;
};

}  // namespace

std::unique_ptr<Client> OpenStored(const PrivateRun& run) { return std::make_unique<StoredRun>(run); }

absl::Status NoDaemons(const PrivateRun& run) {
  return absl::UnavailableError(absl::StrCat("run ", run.run_id, " (", run.name, ") in ", run.run_dir,
                                             " has no daemons now; go on with: trainctl resume ",
                                             run.run_id));
}

absl::StatusOr<prepare::PrepareResult> ReadRunRecipe(const std::string& run_dir) {
  recipe::RecipeText text;
  ASSIGN_OR_RETURN(text.canonical, ReadFile(JoinPath(run_dir, "recipe.yaml"), 1 << 20));
  // The controller writes the folder that relative paths mean into the first line.
  constexpr absl::string_view kRoot = "# Paths are relative to ";
  absl::string_view first = absl::string_view(text.canonical).substr(0, text.canonical.find('\n'));
  text.root = absl::ConsumePrefix(&first, kRoot) ? std::string(first) : run_dir;
  prepare::PrepareResult result = prepare::Prepare(text);
  if (!result.prepared) {
    return absl::InternalError(absl::StrCat(
        run_dir, "/recipe.yaml: this version cannot read it: ", recipe::FormatFaults(result.faults)));
  }
  return result;
}

std::string CheckpointFolder(const recipe::RecipeSpec& spec, const std::string& run_dir) {
  return spec.checkpoint.directory.empty() ? JoinPath(run_dir, "checkpoints") : spec.checkpoint.directory;
}

}  // namespace galley::trainctl
