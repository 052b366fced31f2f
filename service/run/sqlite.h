// The little of SQLite that the store needs: statements that bind, step and reset, and errors as Status.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace galley::service {

class Database {
 public:
  using Value = std::variant<int64_t, absl::string_view>;

  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;

  // Rows of one query. Values bound by reference must live until the last Next.
  class Rows {
   public:
    Rows(Database* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
    Rows(Rows&& other) noexcept : database_(other.database_), statement_(other.statement_) {
      other.statement_ = nullptr;
    }
    ~Rows();
    absl::StatusOr<bool> Next();  // false: no more
    int64_t Int(int column) const;
    std::string Text(int column) const;

   private:
    Database* database_;
    sqlite3_stmt* statement_;
  };
  absl::StatusOr<Rows> Query(const char* sql, std::initializer_list<Value> values = {});
  absl::Status Run(const char* sql, std::initializer_list<Value> values = {});  // a query without rows

 private:
  explicit Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  absl::Status Error(int code) const;
  sqlite3* handle_;
  std::string path_;
};

// BEGIN IMMEDIATE at the start; ROLLBACK at the end unless Commit was called.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  ~Transaction();
  absl::Status Commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;
};

}  // namespace galley::service
