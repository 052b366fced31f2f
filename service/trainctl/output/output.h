// How verbs print: data on stdout, the rest on stderr, errors as "trainctl: <message>".
// Exit codes: docs/recipe.md.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/trainctl/verb.h"

namespace galley::trainctl {

// -o json, jsonl: what a verb without rows of its own prints as one object.
inline bool IsJson(const Globals& globals) { return globals.output == "json" || globals.output == "jsonl"; }

// kNotFound 5, kInvalidArgument 2, kPermissionDenied and kUnauthenticated 4, kFailedPrecondition, kAborted
// and kAlreadyExists 7, kDeadlineExceeded 9, kUnavailable 10, the rest 1.
int ExitCodeOf(const absl::Status& status);

// Usage error (2), said on stderr, when the verb has no such output; kOk otherwise.
int WantOutput(const Globals& globals, const std::vector<std::string>& outputs);

// Prints the error on stderr and returns its exit code.
int Fail(const absl::Status& status);

}  // namespace galley::trainctl
