// The keys of one model family: a value of the struct that stands beside the family's parameter table
// (runtime/models/<family>/keys.h). A variant whose alternatives are not listed here, because the recipe is
// below the models and names no family.
#pragma once

#include <any>
#include <type_traits>
#include <utility>

#include "runtime/base/check.h"

namespace galley::recipe {

class FamilyKeys {
 public:
  FamilyKeys() = default;  // of no family
  template <class Keys>
  requires(!std::is_same_v<Keys, FamilyKeys>) FamilyKeys(Keys keys)
      : value_(std::move(keys)), address_([](std::any& v) -> void* { return std::any_cast<Keys>(&v); }) {}

  // CHECKs that the model is of the family whose struct this is.
  template <class Keys>
  const Keys& As() const {
    const Keys* keys = std::any_cast<Keys>(&value_);
    CHECK(keys != nullptr) << "keys of another family";
    return *keys;
  }
  template <class Keys>
  Keys& As() {
    return const_cast<Keys&>(std::as_const(*this).As<Keys>());
  }

  // The struct, for the family's field table. REQUIRES: of some family.
  void* address() { return address_(value_); }
  const void* address() const { return address_(const_cast<std::any&>(value_)); }

 private:
  std::any value_;
  void* (*address_)(std::any&) = nullptr;
};

}  // namespace galley::recipe
