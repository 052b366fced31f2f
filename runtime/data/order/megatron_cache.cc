#include "runtime/data/order/megatron_cache.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/data/megatron/npy.h"

namespace galley::data {
namespace {

constexpr int64_t kMaxDescription = 64 << 20;  // a blend's holds those of all its sources
constexpr size_t kPiece = 1 << 16;             // values compared at a time
constexpr char kRemedy[] =
    "make the cache anew, or take data.megatron.cache out of the recipe: Galley does not need it";

absl::Status WithRemedy(const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), "; ", kRemedy));
}

absl::string_view LastPart(absl::string_view path) {
  while (absl::EndsWith(path, "/")) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

// Fills `out` with what the array should hold from `begin` on. Called with rising `begin`.
using Expected = std::function<void(int64_t begin, std::span<int64_t> out)>;

absl::Status Compare(const std::string& path, const std::vector<int64_t>& shape, const Expected& expected) {
  ASSIGN_OR_RETURN(const NpyFile file, NpyFile::Open(path));
  if (file.header().shape != shape) {
    std::vector<int64_t> is = file.header().shape;
    is.resize(2, 1);
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": ", is[0], " x ", is[1], " values, and this run's index has ", shape[0], " x ",
                     shape.size() > 1 ? shape[1] : 1, ": it is of other data or other rules"));
  }
  std::vector<int64_t> ours(kPiece), theirs(kPiece);
  for (int64_t begin = 0; begin < file.header().values;) {
    const auto count = static_cast<size_t>(std::min<int64_t>(kPiece, file.header().values - begin));
    const std::span a = std::span(ours).first(count), b = std::span(theirs).first(count);
    expected(begin, a);
    RETURN_IF_ERROR(file.Read(begin, b));
    const auto differ = std::mismatch(a.begin(), a.end(), b.begin());
    if (differ.first != a.end()) {
      const int64_t index = begin + (differ.first - a.begin());
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": offset ", file.header().data + index * file.header().item, ": value ", index,
                       " is ", *differ.second, ", and this run's index has ", *differ.first,
                       ": it is of other data or other rules (data.megatron.rules), or damaged"));
    }
    begin += static_cast<int64_t>(count);
  }
  return absl::OkStatus();
}

template <class Values>
Expected Of(Values values) {
  return [values](int64_t begin, std::span<int64_t> out) {
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<int64_t>(values[static_cast<size_t>(begin) + i]);
  };
}

// Rows of the sample index, which Galley does not hold: a walk over the documents.
class SampleRows {
 public:
  SampleRows(const IndexedDataset& source, const MegatronIndex& index, int64_t length)
      : lengths_(source.length_bytes()), documents_(index.document_index()), length_(length) {}
  void operator()(int64_t, std::span<int64_t> out) {
    for (int64_t& value : out) {
      value = column_ == 0 ? position_ : offset_;
      if (column_ == 1) Advance();
      column_ = 1 - column_;
    }
  }

 private:
  // A row stands on the token after `length_` more; never behind a document's last.
  void Advance() {
    offset_ += length_;
    while (static_cast<size_t>(position_) < documents_.size()) {
      const int64_t have = lengths_[documents_[static_cast<size_t>(position_)]];
      if (offset_ < have) return;
      offset_ -= have;
      ++position_;
    }
  }
  SequenceLengths lengths_;
  std::span<const int32_t> documents_;
  int64_t length_;
  int64_t position_ = 0, offset_ = 0;
  int column_ = 0;
};

struct Description {
  std::string base;  // path of its files up to "description.txt"
  Json json;
};

// Those of one class of Megatron's, whatever they describe. Files of other names are passed over, since other
// programs may share the folder.
absl::StatusOr<std::vector<Description>> Descriptions(const std::string& folder,
                                                      const std::vector<std::string>& names,
                                                      const std::string& kind) {
  std::vector<Description> found;
  const std::string end = absl::StrCat("-", kind, "-description.txt");
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, end)) continue;
    const std::string path = JoinPath(folder, name);
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxDescription));
    absl::StatusOr<Json> json = ParseJson(text);
    if (!json.ok() || !json->is_object()) {
      return absl::DataLossError(absl::StrCat(path, ": ",
                                              json.ok() ? "not a JSON object" : json.status().message(),
                                              "; the description is damaged"));
    }
    found.push_back({path.substr(0, path.size() - std::string("description.txt").size()), *std::move(json)});
  }
  return found;
}

bool Is(const Json& json, const char* key, int64_t value) {
  const Json* const found = json.Find(key);
  return found != nullptr && found->kind == Json::Kind::kInt && found->integer == value;
}

std::string TextOf(const Json& json, const char* key) {
  const Json* const found = json.Find(key);
  return found != nullptr && found->is_string() ? found->text : std::string();
}

// Of those whose data set has the source's name, those with its very path, if there are any.
std::vector<const Description*> OfSource(const std::vector<Description>& all, const DataPlan& plan,
                                         const std::string& path, int64_t asked) {
  std::vector<const Description*> named, same;
  for (const Description& d : all) {
    if (!Is(d.json, "random_seed", plan.seed) || !Is(d.json, "sequence_length", plan.sequence_length) ||
        !Is(d.json, "num_samples", asked)) {
      continue;
    }
    const std::string at = TextOf(d.json, "dataset_path");
    if (LastPart(at) == LastPart(path)) named.push_back(&d);
    if (at == path) same.push_back(&d);
  }
  return same.empty() ? named : same;
}

bool OfBlend(const Description& d, const DataPlan& plan, int64_t size) {
  const Json* const datasets = d.json.Find("datasets");
  if (!Is(d.json, "size", size) || datasets == nullptr || datasets->items.size() != plan.sources.size()) {
    return false;
  }
  for (size_t s = 0; s < plan.sources.size(); ++s) {
    const Json& source = datasets->items[s];
    if (LastPart(TextOf(source, "dataset_path")) != LastPart(plan.sources[s].path) ||
        !Is(source, "random_seed", plan.seed)) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<CacheCheck> CheckMegatronCache(const std::string& folder, const DataPlan& plan, Split split,
                                              const MegatronOrder& order) {
  absl::StatusOr<std::vector<std::string>> names = ListDir(folder);
  if (!names.ok()) return Annotate(names.status(), "data.megatron.cache");
  std::sort(names->begin(), names->end());
  const std::string part(Name(split));
  CacheCheck check;
  const auto compare = [&check](const std::string& path, const std::vector<int64_t>& shape,
                                const Expected& expected) {
    if (!FileExists(path)) return absl::OkStatus();
    RETURN_IF_ERROR(WithRemedy(Compare(path, shape, expected)));
    check.agreeing.push_back(path);
    return absl::OkStatus();
  };
  absl::StatusOr<std::vector<Description>> described =
      Descriptions(folder, *names, absl::StrCat("GPTDataset-", part));
  if (!described.ok()) return WithRemedy(described.status());
  const std::vector<int64_t> asked = AskedOfSources(plan, split);
  for (size_t s = 0; s < plan.sources.size(); ++s) {
    const std::vector<const Description*> found = OfSource(*described, plan, plan.sources[s].path, asked[s]);
    if (found.empty()) check.missing.push_back(plan.sources[s].path);
    const MegatronIndex& index = order.index(s);
    for (const Description* d : found) {
      RETURN_IF_ERROR(compare(d->base + "document_index.npy",
                              {static_cast<int64_t>(index.document_index().size())},
                              Of(index.document_index())));
      RETURN_IF_ERROR(compare(d->base + "sample_index.npy", {index.samples() + 1, 2},
                              SampleRows(order.source(s), index, plan.sequence_length)));
      RETURN_IF_ERROR(compare(d->base + "shuffle_index.npy", {index.samples()}, Of(index.shuffle_index())));
    }
  }
  if (order.blend() == nullptr) return check;
  described = Descriptions(folder, *names, absl::StrCat("BlendedDataset-", part));
  if (!described.ok()) return WithRemedy(described.status());
  const MegatronBlend& blend = *order.blend();
  bool blended = false;
  for (const Description& d : *described) {
    if (!OfBlend(d, plan, blend.size())) continue;
    blended = true;
    RETURN_IF_ERROR(compare(d.base + "dataset_index.npy", {blend.size()}, Of(blend.sources())));
    std::vector<int64_t> drawn(plan.sources.size(), 0);
    RETURN_IF_ERROR(compare(d.base + "dataset_sample_index.npy", {blend.size()},
                            [&](int64_t begin, std::span<int64_t> out) {
                              for (size_t i = 0; i < out.size(); ++i) {
                                const int16_t source = blend.sources()[static_cast<size_t>(begin) + i];
                                out[i] = drawn[static_cast<size_t>(source)]++;
                              }
                            }));
  }
  if (!blended) check.missing.push_back("the blend");
  return check;
}

}  // namespace galley::data
