#include "service/controller/run_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
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

absl::StatusOr<NewRunDir> NewRunDir::Make(const Run& run, const std::string& plan_json) {
  NewRunDir dir;
  if (absl::Status status = dir.Fill(run, plan_json); !status.ok()) {
    dir.Remove();
    return status;
  }
  return dir;
}

absl::Status NewRunDir::Fill(const Run& run, const std::string& plan_json) {
  const std::string recipe = JoinPath(run.run_dir, "recipe.yaml"), plan = JoinPath(run.run_dir, "plan.json");
  RETURN_IF_ERROR(MakeFolder(run.run_dir));
  // Before anything else in it, so that whoever has the claim alone makes and removes the rest.
  RETURN_IF_ERROR(Claim(recipe));
  RETURN_IF_ERROR(MakeFolder(JoinPath(run.run_dir, "logs")));
  RETURN_IF_ERROR(MakeFolder(run.plan.checkpoint_dir));
  if (!FileExists(plan)) made_.push_back(plan);
  RETURN_IF_ERROR(AtomicWrite(plan, plan_json));
  // For people, and for `trainctl generate`, which has no store to ask.
  return AtomicWrite(recipe, absl::StrCat("# Paths are relative to ", run.root, "\n", run.recipe));
}

absl::Status NewRunDir::MakeFolder(const std::string& path) {
  RETURN_IF_ERROR(MakeDirs(DirName(path)));
  if (::mkdir(path.c_str(), 0755) == 0) {
    made_.push_back(path);
    return absl::OkStatus();
  }
  return errno == EEXIST ? MakeDirs(path) : ErrnoStatus(errno, path);  // which says whether it is a folder
}

// By the file that marks a run's folder: one can make it, the others find it there.
absl::Status NewRunDir::Claim(const std::string& recipe) {
  const int fd = ::open(recipe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0 && errno == EEXIST) {
    return absl::AlreadyExistsError(absl::StrCat(
        DirName(recipe), ": another run lives here; choose another --run-dir, or resume that run"));
  }
  if (fd < 0) return ErrnoStatus(errno, recipe);
  ::close(fd);
  made_.push_back(recipe);
  return absl::OkStatus();
}

void NewRunDir::Remove() {
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) {
    if (::remove(path->c_str()) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST) continue;
    LogWarning(ErrnoStatus(errno, *path).message());
  }
  made_.clear();
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
