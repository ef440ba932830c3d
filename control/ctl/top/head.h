// The lines above the tables: who it is, how much passes, how busy the workers are, what dies, what is wrong.
#pragma once

#include <vector>

#include "control/ctl/top/lines.h"
#include "control/ctl/top/model.h"

namespace causeway::top {

inline constexpr size_t kHeadLines = 4;
std::vector<Line> head_lines(const Model& model, size_t width);

}  // namespace causeway::top
