#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/open.h"
#include "runtime/checkpoint/overlap.h"
#include "runtime/checkpoint/safetensors.h"

namespace galley::checkpoint {
namespace {

std::string Describe(DType dtype, const std::vector<int64_t>& shape) {
  return absl::StrCat(SafetensorsName(dtype), " [", absl::StrJoin(shape, ", "), "]");
}

bool StartsWithOneOf(absl::string_view name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return absl::StartsWith(name, prefix); });
}

// All that does not fit, in one error.
absl::Status Diff(const std::string& path, const Manifest& manifest, const std::vector<Item>& items,
                  const std::vector<std::string>& ignore) {
  std::vector<std::string> missing, different, unexpected;
  std::set<absl::string_view> asked;
  for (const Item& item : items) {
    if (!asked.insert(item.name).second) continue;  // another slice of it
    auto it = manifest.tensors.find(item.name);
    if (it == manifest.tensors.end()) {
      missing.push_back(absl::StrCat("  missing: ", item.name, " ", Describe(item.view.dtype, item.shape)));
    } else if (it->second.dtype != item.view.dtype || it->second.shape != item.shape) {
      different.push_back(absl::StrCat("  differs: ", item.name, " is ",
                                       Describe(it->second.dtype, it->second.shape), " there, ",
                                       Describe(item.view.dtype, item.shape), " here"));
    }
  }
  for (const auto& [name, entry] : manifest.tensors) {
    if (!StartsWithOneOf(name, ignore) && !asked.contains(name)) {
      unexpected.push_back(absl::StrCat("  unexpected: ", name, " ", Describe(entry.dtype, entry.shape)));
    }
  }
  if (missing.empty() && different.empty() && unexpected.empty()) return absl::OkStatus();
  std::string message =
      absl::StrCat(path, ": is of another model: ", missing.size(), " tensors missing, ", different.size(),
                   " of another shape or type, ", unexpected.size(),
                   " unexpected; use the recipe that wrote it, or a checkpoint of this recipe");
  for (const auto* lines : {&missing, &different, &unexpected}) {
    for (const std::string& line : *lines) absl::StrAppend(&message, "\n", line);
  }
  return absl::FailedPreconditionError(message);
}

}  // namespace

absl::Status Load(Stream& stream, const std::string& checkpoint_path, const std::vector<Item>& items,
                  const std::vector<std::string>& ignore) {
  ASSIGN_OR_RETURN(Opened opened, OpenShards(checkpoint_path, false));
  RETURN_IF_ERROR(Diff(checkpoint_path, opened.manifest, items, ignore));
  std::multimap<absl::string_view, const Item*> by_name;
  for (const Item& item : items) {
    CHECK(item.view.contiguous() && item.slice.Within(item.shape)) << item.name;
    by_name.emplace(item.name, &item);
  }
  for (size_t s = 0; s < opened.shards.size(); ++s) {
    std::vector<Wanted> wanted;
    for (const ShardPart& part : opened.shards[s].parts) {
      const auto [first, last] = by_name.equal_range(part.name);
      for (auto it = first; it != last; ++it) {
        const Item& item = *it->second;
        const auto common = plan::Intersect(part.slice, item.slice);
        if (!common.has_value()) continue;
        wanted.push_back({part.begin, Overlap(part.slice, item.slice, *common, SizeOf(part.dtype)),
                          static_cast<std::byte*>(item.view.data)});
      }
    }
    const ShardReport& shard = opened.manifest.shards[s];
    RETURN_IF_ERROR(ReadShard(stream, JoinPath(checkpoint_path, shard.file), opened.shards[s], shard.xxh3,
                              std::move(wanted)));
  }
  return absl::OkStatus();
}

}  // namespace galley::checkpoint
