#pragma once

/// `TablesCell`: hands tables from the control loop to workers that neither lock nor count references.
/// A worker says at the top of every turn which generation it uses; the control loop frees a generation
/// when all workers have gone past it (quiescent-state reclamation).

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/proto/server_tables.h"

namespace gnomon {

class TablesCell {
public:
    /// One worker's place. Made before its thread starts; lives as long as the cell.
    class Reader {
    public:
        /// What is in force; null before the first publication. Valid until the next call.
        const ServerTables* enter() noexcept {
            const Version* version = cell_->current_.load(std::memory_order_acquire);
            if (version == nullptr) return nullptr;
            seen_.store(version->generation, std::memory_order_release);
            return version->tables.get();
        }
        /// The worker uses nothing any more.
        void leave() noexcept { seen_.store(kGone, std::memory_order_release); }

    private:
        friend class TablesCell;
        TablesCell* cell_ = nullptr;
        /// 0 until the first turn: nothing is freed under a worker that is just starting.
        alignas(64) std::atomic<std::uint64_t> seen_{0};
    };

    TablesCell() = default;
    TablesCell(const TablesCell&) = delete;
    TablesCell& operator=(const TablesCell&) = delete;

    // The control loop's side.

    Reader& add_reader() {
        readers_.push_back(std::make_unique<Reader>());
        readers_.back()->cell_ = this;
        return *readers_.back();
    }
    void publish(std::shared_ptr<const ServerTables> tables) {
        auto version = std::make_unique<Version>();
        version->generation = ++generation_;
        version->tables = std::move(tables);
        current_.store(version.get(), std::memory_order_release);
        versions_.push_back(std::move(version));
        reclaim();
    }
    /// Frees what nobody uses. Also to be called now and then.
    void reclaim() {
        std::uint64_t oldest = generation_;
        for (const auto& reader : readers_) {
            const std::uint64_t seen = reader->seen_.load(std::memory_order_acquire);
            if (seen < oldest) oldest = seen;
        }
        std::erase_if(versions_, [&](const auto& version) { return version->generation < oldest; });
    }
    std::size_t held() const noexcept { return versions_.size(); }

private:
    static constexpr std::uint64_t kGone = ~std::uint64_t{0};
    struct Version {
        std::uint64_t generation = 0;
        std::shared_ptr<const ServerTables> tables;
    };

    std::atomic<const Version*> current_{nullptr};
    std::uint64_t generation_ = 0;
    std::vector<std::unique_ptr<Version>> versions_;
    std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace gnomon
