// Which names are one inode, after names from several layers or sides came together.
#pragma once

#include "test/model/reference_model.h"

namespace satchel::model {

enum class Doubles {
  kLeave,      ///< only names with the link flag are looked at (flatten)
  kTellApart,  ///< no two names keep one file id unless they are links (mediate)
};

/// "Links put right", format.md section 4; with kTellApart also the last step of mediation.md.
void put_links_right(Tree& tree, Doubles doubles);

}  // namespace satchel::model
