#include "service/controller/run_dir.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace galley::service {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Line(const EventRecord& e) {
  return Dump({{"seq", e.seq},
               {"time", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(e.unix_ms),
                                         absl::UTCTimeZone())},
               {"kind", std::string(Name(e.kind))},
               {"attempt", e.attempt},
               {"from", std::string(Name(e.from))},
               {"to", std::string(Name(e.to))},
               {"message", e.message}},
              -1);
}

std::string EventsPath(const Run& run) { return JoinPath(run.run_dir, "events.jsonl"); }
std::string ResultPath(const Run& run) { return JoinPath(run.run_dir, "result.json"); }

}  // namespace

absl::Status MakeRunDir(const Run& run, const std::string& plan_json) {
  const std::string recipe = JoinPath(run.run_dir, "recipe.yaml");
  if (FileExists(recipe)) {
    return absl::AlreadyExistsError(
        absl::StrCat(run.run_dir, ": another run lives here; choose another --run-dir, or resume that run"));
  }
  RETURN_IF_ERROR(MakeDirs(JoinPath(run.run_dir, "logs")));
  RETURN_IF_ERROR(MakeDirs(run.plan.checkpoint_dir));
  RETURN_IF_ERROR(AtomicWrite(JoinPath(run.run_dir, "plan.json"), plan_json));
  // For people, and for `trainctl generate`, which has no store to ask.
  return AtomicWrite(recipe, absl::StrCat("# Paths are relative to ", run.root, "\n", run.recipe));
}

absl::Status WriteEvents(const Run& run, const std::vector<EventRecord>& events) {
  std::string text;
  for (const EventRecord& event : events) text += Line(event);
  return AtomicWrite(EventsPath(run), text);
}

absl::Status AppendEvent(const Run& run, const EventRecord& event) {
  ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Open(EventsPath(run), FileWriter::Mode::kAppend));
  RETURN_IF_ERROR(writer.Write(Line(event)));
  return writer.Close();
}

absl::Status WriteResult(const Run& run) {
  Json json = {{"version", 1},
               {"run_id", run.id},
               {"name", run.name},
               {"state", std::string(Name(run.state))},
               {"reason", run.reason},
               {"stop_cause", run.stop == StopCause::kNone ? "" : std::string(Name(run.stop))},
               {"steps", run.step},
               {"total_steps", run.plan.total_steps},
               {"attempts", run.attempt},
               {"loss", nullptr},
               {"validation_loss", nullptr},
               {"wall_seconds", static_cast<double>(run.active_ms) / 1000},
               {"checkpoint", nullptr}};
  if (run.loss) json["loss"] = *run.loss;
  if (run.validation_loss) json["validation_loss"] = *run.validation_loss;
  if (run.last_checkpoint_step > 0) {
    json["checkpoint"] = {{"step", run.last_checkpoint_step}, {"path", run.last_checkpoint_path}};
  }
  return AtomicWrite(ResultPath(run), Dump(json, 2));
}

void RemoveResult(const Run& run) { unlink(ResultPath(run).c_str()); }

}  // namespace galley::service
