// Macros that pass a failed absl::Status up. Abseil 20220623 (Debian 12) ships none.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define GALLEY_CONCAT_INNER(a, b) a##b
#define GALLEY_CONCAT(a, b) GALLEY_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` (an absl::Status) is not ok.
#define RETURN_IF_ERROR(expr)                           \
  do {                                                  \
    if (absl::Status status_ = (expr); !status_.ok()) { \
      return status_;                                   \
    }                                                   \
  } while (false)

// ASSIGN_OR_RETURN(Manifest m, ReadManifest(dir)): declares or assigns, or returns the status.
// A type with a comma needs parentheses or an alias.
#define ASSIGN_OR_RETURN(lhs, expr) GALLEY_ASSIGN_OR_RETURN(GALLEY_CONCAT(status_or_, __LINE__), lhs, expr)
#define GALLEY_ASSIGN_OR_RETURN(tmp, lhs, expr)  \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).status(); \
  lhs = *std::move(tmp)

namespace galley {

// The same status with "subject: " before its message; ok stays ok.
absl::Status Annotate(const absl::Status& status, absl::string_view subject);

// What errno `error` says about `subject`: "subject: No space left on device
// (remedy)". ENOENT is kNotFound, EACCES kPermissionDenied, ENOSPC and
// EDQUOT kResourceExhausted, EEXIST kAlreadyExists, the rest kUnavailable.
absl::Status ErrnoStatus(int error, absl::string_view subject);

}  // namespace galley
