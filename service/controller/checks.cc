#include "service/controller/checks.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/data/order/data_plan.h"
#include "runtime/prepare/data_config.h"
#include "runtime/recipe/origins.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley::service {
namespace {

// A fault about a field of the canonical recipe, placed where the field, or the nearest section around it
// that somebody wrote, stands.
class Faults {
 public:
  Faults(const recipe::Origins& origins, std::vector<recipe::Fault>* out) : origins_(origins), out_(out) {}

  void Add(const std::string& path, absl::string_view message) {
    recipe::Fault fault;
    fault.path = path;
    fault.message = std::string(message);
    const recipe::Origin* origin = origins_.Nearest(path);
    fault.file = origin == nullptr ? "recipe" : origin->file;
    if (origin != nullptr) {
      fault.line = origin->line;
      fault.column = origin->column;
    }
    out_->push_back(std::move(fault));
  }

 private:
  const recipe::Origins& origins_;
  std::vector<recipe::Fault>* out_;
};

std::string Mib(int64_t bytes) { return absl::StrCat((bytes + (1 << 20) - 1) >> 20, " MiB"); }

// Sources one by one, so that each fault stands at its own; the blend as a whole only when all are sound.
void CheckData(const prepare::Prepared& prepared, LargestIds& largest_ids, Faults& faults) {
  const recipe::RecipeSpec& spec = prepared.spec;
  bool sound = true;
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const auto check = [&](const std::string& path, absl::string_view key, size_t i) {
    const absl::Status status = largest_ids.Check(path, spec.model.vocab, threads);
    if (status.ok()) return;
    faults.Add(absl::StrCat(key, "[", i, "].path"), status.message());
    sound = false;
  };
  for (size_t i = 0; i < spec.data.train.size(); ++i) check(spec.data.train[i].path, "data.train", i);
  for (size_t i = 0; i < spec.data.valid.size(); ++i) check(spec.data.valid[i].path, "data.valid", i);
  if (!sound) return;
  const std::vector<prepare::NamedSet> named = prepare::NamedSetsOf(spec);
  for (size_t i = 0; i < named.size(); ++i) {
    if (absl::Status status = data::BuildDataPlan(named[i].config).status(); !status.ok()) {
      faults.Add(absl::StrCat("data.valid[", i, "].path"), status.message());
    }
  }
  if (absl::Status status = data::BuildDataPlan(prepare::DataConfigOf(prepared)).status(); !status.ok()) {
    faults.Add("data.split", status.message());
  }
}

void CheckTokenizer(const recipe::RecipeSpec& spec, Faults& faults) {
  const recipe::Tokenizer& tokenizer = spec.data.tokenizer;
  bool there = true;
  for (const auto& [key, path] :
       {std::pair{"vocab", &tokenizer.vocab}, std::pair{"merges", &tokenizer.merges},
        std::pair{"file", &tokenizer.file}}) {
    if (path->empty() || FileExists(*path)) continue;
    faults.Add(absl::StrCat("data.tokenizer.", key), absl::StrCat(*path, ": no such file"));
    there = false;
  }
  if (!there) return;
  if (!prepare::SeparatorsDivideDocuments(spec)) return;
  const absl::StatusOr<std::optional<int32_t>> separator = tokenizer::ReadEod(tokenizer);
  const absl::Status status =
      separator.ok() ? prepare::MaskOptionsOf(spec, *separator).status() : separator.status();
  if (!status.ok()) faults.Add("data.tokenizer", status.message());
}

// The nearest folder above `path` that exists: where the file system can be asked.
std::string Existing(std::string path) {
  while (path.size() > 1 && !FileExists(path)) path = DirName(path);
  return path;
}

void CheckDisk(const prepare::Prepared& prepared, const std::string& run_dir, Faults& faults) {
  const std::string& chosen = prepared.spec.checkpoint.directory;
  const std::string folder = Existing(chosen.empty() ? run_dir : chosen);
  const int64_t saves = prepared.plan.checkpoints.MostOnDisk();
  const int64_t needed = saves * prepared.plan.checkpoint_bytes;
  const absl::StatusOr<int64_t> free = FreeBytes(folder);
  if (!free.ok()) {
    faults.Add("checkpoint.directory", free.status().message());
  } else if (needed > *free) {
    faults.Add(chosen.empty() ? "checkpoint.keep" : "checkpoint.directory",
               absl::StrCat(folder, ": ", saves, " checkpoints of ", Mib(prepared.plan.checkpoint_bytes),
                            " need ", Mib(needed), ", and ", Mib(*free),
                            " are free; keep fewer (checkpoint.keep.last), or give ",
                            "another checkpoint.directory"));
  }
}

void CheckMemory(const prepare::Prepared& prepared, int64_t memory_bytes, Faults& faults) {
  const int64_t ranks = prepared.plan.inventory.ranks_per_node;
  const int64_t needed = ranks * prepared.plan.memory.total();
  if (memory_bytes <= 0 || needed <= memory_bytes) return;
  faults.Add("batch.micro", absl::StrCat(ranks, " ranks of ", Mib(prepared.plan.memory.total()), " need ",
                                         Mib(needed), ", and the machine has ", Mib(memory_bytes),
                                         "; lower batch.micro, model.context or the model's size"));
}

}  // namespace

void CheckMachine(const prepare::Prepared& prepared, const recipe::Origins& origins,
                  const std::string& run_dir, int64_t memory_bytes, LargestIds& largest_ids,
                  std::vector<recipe::Fault>* out) {
  Faults faults(origins, out);
  CheckTokenizer(prepared.spec, faults);
  CheckData(prepared, largest_ids, faults);
  CheckDisk(prepared, run_dir, faults);
  CheckMemory(prepared, memory_bytes, faults);
}

}  // namespace galley::service
