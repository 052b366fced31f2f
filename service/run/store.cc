#include "service/run/store.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/file_lock.h"
#include "runtime/base/status.h"
#include "service/run/row.h"
#include "service/run/sqlite.h"

namespace galley::service {
namespace {

constexpr size_t kShortestPrefix = 4;

constexpr const char* kSchema[] = {
    "CREATE TABLE runs (id TEXT PRIMARY KEY, name TEXT NOT NULL, run_dir TEXT NOT NULL UNIQUE, state TEXT "
    "NOT NULL,"
    " created_unix_ms INTEGER NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX runs_by_name ON runs (name, created_unix_ms)",
    "CREATE TABLE events (run_id TEXT NOT NULL, seq INTEGER NOT NULL, unix_ms INTEGER NOT NULL, kind TEXT "
    "NOT NULL,"
    " attempt INTEGER NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL, message TEXT NOT NULL,"
    " PRIMARY KEY (run_id, seq)) WITHOUT ROWID",
    "CREATE TABLE idempotency_keys (key TEXT PRIMARY KEY, run_id TEXT NOT NULL) WITHOUT ROWID",
};
// What is derived from each run's recipe.
constexpr char kPlans[] = "CREATE TABLE plans (run_id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID";
constexpr char kPutPlan[] = "INSERT OR REPLACE INTO plans (run_id, body) VALUES (?,?)";

absl::StatusOr<FileLock> LockState(const std::string& state_dir) {
  absl::StatusOr<FileLock> lock = FileLock::Take(JoinPath(state_dir, "lock"));
  if (!absl::IsAborted(lock.status())) return lock;
  return absl::FailedPreconditionError(
      absl::StrCat(state_dir, ": another galley-controller holds this state (", lock.status().message(),
                   "); stop it, or choose another --state-dir"));
}

// A row that no controller wrote.
absl::Status Damaged(const std::string& path, absl::string_view row, const std::string& run_id,
                     const absl::Status& damage) {
  return absl::DataLossError(
      absl::StrCat(path, ": ", row, " of run ", run_id, ": ", damage.message(),
                   "; stop the controller and restore the file from a copy, or give the run up: sqlite3 ",
                   path, " \"DELETE FROM runs WHERE id='", run_id, "'\""));
}

// Until schema 1 the row of a run held fields of its plan, and one node.
absl::Status FromSchema1(Database& db, const std::string& path) {
  std::vector<Run> runs;
  {
    ASSIGN_OR_RETURN(Database::Rows rows, db.Query("SELECT body, id FROM runs"));
    while (true) {
      ASSIGN_OR_RETURN(bool more, rows.Next());
      if (!more) break;
      absl::StatusOr<Run> run = DecodeRunOfSchema1(rows.Text(0));
      if (!run.ok()) return Damaged(path, "the row", rows.Text(1), run.status());
      runs.push_back(*std::move(run));
    }
  }
  for (const Run& run : runs) {
    RETURN_IF_ERROR(db.Run("UPDATE runs SET body=? WHERE id=?", {EncodeRun(run), run.id}));
    RETURN_IF_ERROR(db.Run(kPutPlan, {run.id, EncodePlan(run.plan)}));
  }
  return absl::OkStatus();
}

absl::Status PrepareSchema(Database& db, const std::string& path) {
  RETURN_IF_ERROR(db.Run("PRAGMA journal_mode=WAL"));
  RETURN_IF_ERROR(db.Run("PRAGMA synchronous=FULL"));
  int64_t version = 0;
  {
    ASSIGN_OR_RETURN(Database::Rows rows, db.Query("PRAGMA user_version"));
    ASSIGN_OR_RETURN(bool some, rows.Next());
    if (some) version = rows.Int(0);
  }
  if (version == kSchemaVersion) return absl::OkStatus();
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": schema ", version, ", and this program knows ",
                                                      kSchemaVersion, "; use the newer galley-controller"));
  }
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
  if (version == 0) {
    for (const char* statement : kSchema) RETURN_IF_ERROR(db.Run(statement));
  }
  RETURN_IF_ERROR(db.Run(kPlans));
  if (version == 1) RETURN_IF_ERROR(FromSchema1(db, path));
  RETURN_IF_ERROR(db.Run(absl::StrCat("PRAGMA user_version=", kSchemaVersion).c_str()));
  return transaction.Commit();
}

class SqliteStore : public Store {
 public:
  SqliteStore(FileLock lock, std::string path, std::unique_ptr<Database> db)
      : lock_(std::move(lock)), path_(std::move(path)), db_(std::move(db)) {}

  absl::StatusOr<Created> Create(Run run, const std::string& key, absl::Time now) override {
    ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*db_));
    if (!key.empty()) {
      absl::StatusOr<Run> existing = FindByKey(key);
      if (existing.ok()) return Created{*std::move(existing), true};
      if (!absl::IsNotFound(existing.status())) return existing.status();
    }
    const int64_t now_ms = absl::ToUnixMillis(now);
    run.state = RunState::kAccepted;
    run.created_unix_ms = run.updated_unix_ms = now_ms;
    run.event_seq = 1;
    absl::Status inserted =
        db_->Run("INSERT INTO runs (id, name, run_dir, state, created_unix_ms, body) VALUES (?,?,?,?,?,?)",
                 {run.id, run.name, run.run_dir, Name(run.state), now_ms, EncodeRun(run)});
    if (absl::IsAlreadyExists(inserted)) {
      return absl::AlreadyExistsError(
          absl::StrCat(run.run_dir, ": the run directory (or the id ", run.id, ") belongs to another run"));
    }
    RETURN_IF_ERROR(inserted);
    RETURN_IF_ERROR(KeepPlan(run.id, run.plan));
    RETURN_IF_ERROR(Append(run.id, {.seq = 1,
                                    .unix_ms = now_ms,
                                    .kind = EventKind::kSubmitted,
                                    .attempt = 0,
                                    .from = RunState::kAccepted,
                                    .to = RunState::kAccepted,
                                    .message = absl::StrCat("submitted to ", run.run_dir)}));
    if (!key.empty()) {
      RETURN_IF_ERROR(db_->Run("INSERT INTO idempotency_keys (key, run_id) VALUES (?,?)", {key, run.id}));
    }
    RETURN_IF_ERROR(transaction.Commit());
    return Created{std::move(run), false};
  }

  absl::Status KeepPlan(const std::string& id, const RunPlan& plan) override {
    return db_->Run(kPutPlan, {absl::string_view(id), EncodePlan(plan)});
  }

  absl::StatusOr<Run> FindByKey(const std::string& key) const override {
    ASSIGN_OR_RETURN(std::vector<Run> runs,
                     Select("JOIN idempotency_keys AS k ON k.run_id=id WHERE key=?", {key}));
    if (runs.empty())
      return absl::NotFoundError(absl::StrCat("no run was submitted with the key '", key, "'"));
    return std::move(runs.front());
  }

  absl::StatusOr<Applied> Apply(const std::string& id, const Event& event, absl::Time now) override {
    ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*db_));
    ASSIGN_OR_RETURN(Run run, Get(id));
    ASSIGN_OR_RETURN(Applied applied, service::Apply(run, event, now));
    if (!applied.changed) return applied;
    RETURN_IF_ERROR(Append(id, applied.record));
    RETURN_IF_ERROR(db_->Run("UPDATE runs SET state=?, body=? WHERE id=?",
                             {Name(applied.run.state), EncodeRun(applied.run), id}));
    RETURN_IF_ERROR(transaction.Commit());
    return applied;
  }

  absl::StatusOr<Run> Get(const std::string& id) const override {
    ASSIGN_OR_RETURN(std::vector<Run> runs, Select("WHERE id=?", {id}));
    if (runs.empty()) return absl::NotFoundError(absl::StrCat("no run ", id));
    return std::move(runs.front());
  }

  absl::StatusOr<Run> Resolve(const std::string& reference) const override {
    ASSIGN_OR_RETURN(std::vector<Run> exact,
                     Select("WHERE id=?1 OR run_dir=?1", {absl::string_view(reference)}));
    if (!exact.empty()) return std::move(exact.front());
    ASSIGN_OR_RETURN(std::vector<Run> named,
                     Select("WHERE name=? ORDER BY created_unix_ms DESC, runs.rowid DESC LIMIT 1",
                            {absl::string_view(reference)}));
    if (!named.empty()) return std::move(named.front());
    if (reference.size() >= kShortestPrefix) {
      ASSIGN_OR_RETURN(std::vector<Run> prefixed,
                       Select("WHERE substr(id, 1, ?2)=?1 LIMIT 2",
                              {absl::string_view(reference), static_cast<int64_t>(reference.size())}));
      if (prefixed.size() == 1) return std::move(prefixed.front());
      if (prefixed.size() > 1) {
        return absl::InvalidArgumentError(
            absl::StrCat(reference, ": several runs begin so; give more of the id"));
      }
    }
    return absl::NotFoundError(absl::StrCat("no run has the id, name or directory '", reference, "'"));
  }

  absl::StatusOr<std::vector<Run>> List() const override {
    return Select("ORDER BY created_unix_ms DESC, runs.rowid DESC", {});
  }

  absl::StatusOr<std::vector<EventRecord>> Events(const std::string& id, int64_t since) const override {
    ASSIGN_OR_RETURN(
        Database::Rows rows,
        db_->Query("SELECT seq, unix_ms, kind, attempt, from_state, to_state, message FROM events"
                   " WHERE run_id=? AND seq>? ORDER BY seq",
                   {absl::string_view(id), since}));
    std::vector<EventRecord> events;
    while (true) {
      ASSIGN_OR_RETURN(bool more, rows.Next());
      if (!more) return events;
      EventRecord e{
          .seq = rows.Int(0), .unix_ms = rows.Int(1), .attempt = rows.Int(3), .message = rows.Text(6)};
      if (!ParseKind(rows.Text(2), &e.kind) || !ParseState(rows.Text(4), &e.from) ||
          !ParseState(rows.Text(5), &e.to)) {
        return Damaged(path_, absl::StrCat("event ", e.seq), id,
                       absl::DataLossError("a kind or a state that this program does not know"));
      }
      events.push_back(std::move(e));
    }
  }

 private:
  absl::Status Append(const std::string& id, const EventRecord& e) {
    return db_->Run(
        "INSERT INTO events (run_id, seq, unix_ms, kind, attempt, from_state, to_state, message)"
        " VALUES (?,?,?,?,?,?,?,?)",
        {absl::string_view(id), e.seq, e.unix_ms, Name(e.kind), e.attempt, Name(e.from), Name(e.to),
         absl::string_view(e.message)});
  }

  // The runs that `clause` chooses, each with its plan.
  absl::StatusOr<std::vector<Run>> Select(absl::string_view clause,
                                          std::initializer_list<Database::Value> values) const {
    const std::string sql = absl::StrCat(
        "SELECT runs.body, plans.body, runs.id FROM runs LEFT JOIN plans ON plans.run_id=id ", clause);
    ASSIGN_OR_RETURN(Database::Rows rows, db_->Query(sql.c_str(), values));
    std::vector<Run> runs;
    while (true) {
      ASSIGN_OR_RETURN(bool more, rows.Next());
      if (!more) return runs;
      const std::string id = rows.Text(2);
      absl::StatusOr<Run> decoded = DecodeRun(rows.Text(0));
      if (decoded.ok() && decoded->id != id) decoded = absl::DataLossError("its id is another run's");
      if (!decoded.ok()) return Damaged(path_, "the row", id, decoded.status());
      Run& run = *decoded;
      if (const std::string plan = rows.Text(1); !plan.empty()) {
        // A damaged one is as good as none: it is derived from the recipe, and is derived anew.
        if (absl::StatusOr<RunPlan> kept = DecodePlan(plan); kept.ok()) run.plan = *std::move(kept);
      }
      runs.push_back(std::move(run));
    }
  }

  FileLock lock_;
  const std::string path_;
  std::unique_ptr<Database> db_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& state_dir) {
  RETURN_IF_ERROR(MakeDirs(state_dir, 0700));
  ASSIGN_OR_RETURN(FileLock lock, LockState(state_dir));
  const std::string path = JoinPath(state_dir, "galley.db");
  ASSIGN_OR_RETURN(std::unique_ptr<Database> db, Database::Open(path));
  RETURN_IF_ERROR(PrepareSchema(*db, path));
  return std::make_unique<SqliteStore>(std::move(lock), path, std::move(db));
}

}  // namespace galley::service
