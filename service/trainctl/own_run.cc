#include "service/trainctl/own_run.h"

#include <sys/random.h>

#include <cstdio>

#include "runtime/base/check.h"
#include "service/trainctl/follow.h"
#include "service/trainctl/output.h"

namespace galley::trainctl {

std::string NewPrivateId() {
  constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  unsigned char bytes[8];
  CHECK_EQ(getrandom(bytes, sizeof bytes, 0), static_cast<ssize_t>(sizeof bytes));
  std::string id;
  for (unsigned char byte : bytes) id += kAlphabet[byte % 32];
  return id;
}

int FollowOwnRun(PrivateService& service, const PrivateRun& run, const Globals& globals) {
  FollowOptions options;
  options.owns_run = true;
  absl::StatusOr<Followed> followed = Follow(service.client(), run.run_id, options);
  if (!followed.ok()) return Fail(followed.status());
  const absl::StatusOr<v1::RunSummary> last = service.client().Get(run.run_id);
  PrintRow(globals, RunColumns(), "id", RowOf(last.ok() ? *last : followed->run));
  const std::string& state = followed->run.state();
  if (state == "PAUSED" || state == "HELD") {
    fprintf(stderr, "go on with: trainctl resume %s\n", run.run_id.c_str());
  }
  return ExitCodeOf(*followed);
}

}  // namespace galley::trainctl
