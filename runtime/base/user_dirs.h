// Where a user's daemons meet and keep their state. Works as root and with no XDG variable set.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley {

// The longest path a Unix socket may have (sun_path without its NUL).
inline constexpr size_t kMaxSocketPath = 107;

// $XDG_RUNTIME_DIR/galley, or galley-<uid> under $TMPDIR or /tmp: the first
// that exists or can be made and leaves 40 bytes for a socket's name. Made
// 0700; kPermissionDenied when the folder is another user's or open to others.
absl::StatusOr<std::string> SocketFolder();

// SocketFolder()/controller.sock
absl::StatusOr<std::string> DefaultControllerSocket();

// `given`, else $XDG_STATE_HOME/galley, else $HOME/.local/state/galley,
// else the home of the password file. Absolute; not made.
absl::StatusOr<std::string> StateFolder(absl::string_view given);

// kInvalidArgument, with the length and the limit, when `path` is too long for a socket.
absl::Status CheckSocketPath(absl::string_view path);

}  // namespace galley
