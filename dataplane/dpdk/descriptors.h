#pragma once

/// The process's open file descriptors. Drivers of DPDK keep theirs to themselves, though the kernel
/// would tell more through them than they ask it for.

#include <dirent.h>

#include <cstdlib>

namespace gnomon {

template <typename Function>
void for_each_descriptor(Function function) {
    DIR* directory = opendir("/proc/self/fd");
    if (directory == nullptr) return;
    const int own = dirfd(directory);
    while (const dirent* entry = readdir(directory)) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        if (const int fd = std::atoi(entry->d_name); fd != own) function(fd);
    }
    closedir(directory);
}

}  // namespace gnomon
