#include "runtime/data/ingest/tokenize_state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/data/store/sealed_json.h"

namespace galley::data {
namespace {

constexpr char kFormat[] = "galley-tokenize-state";
constexpr int64_t kVersion = 1;
constexpr int64_t kEnd = 64 << 10;
constexpr char kRemedy[] = "remove it with `--restart`, which begins anew";

absl::StatusOr<std::optional<InputMark>> MarkOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, path);
  if (!S_ISREG(info.st_mode)) return std::optional<InputMark>();
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  std::vector<std::byte> end(static_cast<size_t>(std::min<int64_t>(kEnd, info.st_size)));
  const absl::Cleanup close = [fd] { ::close(fd); };
  Hasher hash;
  for (const int64_t at :
       {int64_t{0}, static_cast<int64_t>(info.st_size - static_cast<int64_t>(end.size()))}) {
    ASSIGN_OR_RETURN(const size_t n, ReadAt(fd, path, at, end));
    hash.Add(std::span(end).first(n));
  }
  return std::optional(InputMark{path, info.st_size,
                                 int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
                                 Hex(hash.Digest())});
}

bool ReadIdentity(const Json& json, TokenizeIdentity& identity) {
  const Json* const inputs = json.Find("inputs");
  const Json* const options = json.Find("options");
  if (inputs == nullptr || !inputs->is_array() || options == nullptr || !options->is_object()) return false;
  for (const Json& input : inputs->items) {
    InputMark mark;
    if (!ReadMember(input, "path", mark.path) || !ReadMember(input, "bytes", mark.bytes) ||
        !ReadMember(input, "modified_ns", mark.modified) || !ReadMember(input, "ends", mark.ends)) {
      return false;
    }
    identity.inputs.push_back(std::move(mark));
  }
  for (const auto& [name, value] : options->members) {
    if (value.kind != Json::Kind::kString) return false;
    identity.options.emplace_back(name, value.text);
  }
  return true;
}

}  // namespace

absl::StatusOr<std::optional<TokenizeIdentity>> IdentityOf(const tokenizer::Tokenizer& tokenizer,
                                                           const TokenizeOptions& options) {
  TokenizeIdentity identity;
  bool plain = true;
  for (const std::string& path : options.inputs) {
    ASSIGN_OR_RETURN(std::optional<InputMark> mark, MarkOf(path));
    plain = plain && mark.has_value();
    if (plain) identity.inputs.push_back(*std::move(mark));
  }
  if (!plain) return std::optional<TokenizeIdentity>();
  const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
  const char* const unit = options.document == DocumentUnit::kLine        ? "line"
                           : options.document == DocumentUnit::kParagraph ? "paragraph"
                                                                          : "file";
  identity.options = {
      {"tokenizer", std::string(tokenizer::Name(tokenizer.kind()))},
      {"tokenizer fingerprint", options.tokenizer_fingerprint},
      {"vocabulary", absl::StrCat(tokenizer.vocab())},
      {"end-of-document id", tokenizer.eod().has_value() ? absl::StrCat(*tokenizer.eod()) : "none"},
      {"JSON key", options.json_key},
      {"document unit", unit},
      {"add special tokens", flag(options.add_special_tokens)},
      {"append eod", flag(options.append_eod)},
      {"special tokens in text", flag(options.special_tokens_in_text)}};
  return std::optional(std::move(identity));
}

std::string TokenizeStatePath(const std::string& prefix) { return prefix + ".partial.json"; }

std::string ToJson(const TokenizeState& state) {
  std::string text =
      absl::StrCat("{\n  \"format\": \"", kFormat, "\",\n  \"version\": ", kVersion, ",\n  \"inputs\": [");
  absl::string_view comma = "";
  for (const InputMark& input : state.identity.inputs) {
    absl::StrAppend(&text, comma, "\n    {\"path\": ", Quoted(input.path), ", \"bytes\": ", input.bytes,
                    ", \"modified_ns\": ", input.modified, ", \"ends\": ", Quoted(input.ends), "}");
    comma = ",";
  }
  absl::StrAppend(&text, "],\n  \"options\": {");
  comma = "";
  for (const auto& [name, value] : state.identity.options) {
    absl::StrAppend(&text, comma, Quoted(name), ": ", Quoted(value));
    comma = ", ";
  }
  absl::StrAppend(&text, "},\n  \"input\": ", state.input, ",\n  \"text_offset\": ", state.text_offset,
                  ",\n  \"next_line\": ", state.next_line, ",\n  \"input_bytes\": ", state.input_bytes,
                  ",\n  \"text_bytes\": ", state.text_bytes, ",\n  \"bad_lines\": ", state.bad_lines);
  absl::StrAppend(&text, ",\n  \"documents\": ", state.written.documents,
                  ",\n  \"sequences\": ", state.written.sequences, ",\n  \"tokens\": ", state.written.tokens,
                  state.written.ids_below.has_value()
                      ? absl::StrCat(",\n  \"ids_below\": ", *state.written.ids_below)
                      : "",
                  ",\n  \"bin\": ", SumsText(state.written.bin),
                  ",\n  \"finished\": ", state.finished ? "true" : "false", ",\n");
  return Seal(std::move(text));
}

absl::StatusOr<TokenizeState> ParseTokenizeState(absl::string_view text, absl::string_view path) {
  const Sealed expected{path, kRemedy, kFormat, kVersion};
  ASSIGN_OR_RETURN(const Json json, Unseal(text, expected));
  TokenizeState state;
  if (!ReadIdentity(json, state.identity) || !ReadMember(json, "input", state.input) ||
      !ReadMember(json, "text_offset", state.text_offset) ||
      !ReadMember(json, "next_line", state.next_line) ||
      !ReadMember(json, "input_bytes", state.input_bytes) ||
      !ReadMember(json, "text_bytes", state.text_bytes) || !ReadMember(json, "bad_lines", state.bad_lines) ||
      !ReadMember(json, "documents", state.written.documents) ||
      !ReadMember(json, "sequences", state.written.sequences) ||
      !ReadMember(json, "tokens", state.written.tokens) || !ReadMember(json, "bin", state.written.bin) ||
      !ReadMember(json, "finished", state.finished) ||
      state.input >= static_cast<int64_t>(state.identity.inputs.size())) {
    return BadSealed(expected, 0, "a member is missing or of the wrong kind");
  }
  if (json.contains("ids_below") && !ReadMember(json, "ids_below", state.written.ids_below.emplace())) {
    return BadSealed(expected, 0, "ids_below is of the wrong kind");
  }
  return state;
}

absl::StatusOr<std::optional<TokenizeState>> ReadTokenizeState(const std::string& prefix) {
  const std::string path = TokenizeStatePath(prefix);
  if (!FileExists(path)) return std::optional<TokenizeState>();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(TokenizeState state, ParseTokenizeState(text, path));
  return std::optional(std::move(state));
}

absl::Status CheckSameTokenization(const TokenizeState& state, const TokenizeIdentity& identity,
                                   absl::string_view path) {
  const auto differs = [&](absl::string_view what) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": a tokenisation to this prefix was stopped after ", state.written.documents,
        " documents, and it was another one: ", what,
        "; give its own command to go on with it, `--restart` to begin anew without it, or another prefix"));
  };
  const auto& then = state.identity;
  for (size_t i = 0; i < std::min(then.options.size(), identity.options.size()); ++i) {
    if (then.options[i] == identity.options[i]) continue;
    return differs(absl::StrCat(then.options[i].first, " was '", then.options[i].second, "', now ",
                                identity.options[i].first, " is '", identity.options[i].second, "'"));
  }
  if (then.options.size() != identity.options.size()) return differs("other options were known");
  for (size_t i = 0; i < std::min(then.inputs.size(), identity.inputs.size()); ++i) {
    const InputMark& a = then.inputs[i];
    const InputMark& b = identity.inputs[i];
    // The same bytes under another name are the same.
    if (a.bytes == b.bytes && a.modified == b.modified && a.ends == b.ends) continue;
    return differs(absl::StrCat("input ", i + 1, " was ", a.path, " of ", a.bytes, " bytes, now it is ",
                                b.path, " of ", b.bytes,
                                a.bytes == b.bytes ? " with other contents or time" : ""));
  }
  if (then.inputs.size() != identity.inputs.size()) {
    return differs(
        absl::StrCat("it had ", then.inputs.size(), " input files, now there are ", identity.inputs.size()));
  }
  return absl::OkStatus();
}

}  // namespace galley::data
