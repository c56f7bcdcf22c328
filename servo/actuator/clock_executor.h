#pragma once

/// Runs the commands of a `Discipline` on a `ClockDriver` and tells it what came of them.

#include <functional>

#include "servo/actuator/clock_driver.h"
#include "servo/discipline/discipline.h"

namespace gnomon {

/// Called for each command the system refused. Steps are reported by the discipline too.
using CommandErrorHandler = std::function<void(const SysError&)>;

/// Runs until nothing is left. To be called after every mutating call of `discipline`, so that the
/// kernel and its image never differ while somebody reads the clock.
void execute(Discipline& discipline, ClockDriver& driver, MonoTime mono,
             const CommandErrorHandler& on_error);

}  // namespace gnomon
