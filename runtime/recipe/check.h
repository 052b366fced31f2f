// Checks across fields that need no other module, and defaults across sections.
#pragma once

#include "runtime/recipe/checker.h"

namespace galley::recipe {

void CheckAcross(Checker& checker);          // errors
void WarnOfUnusualValues(Checker& checker);  // valid, but worth a look
void WarnOfNotBuilt(Checker& checker);       // valid, but not for this version
void FillAcross(RecipeSpec& spec);           // defaults that another section decides

}  // namespace galley::recipe
