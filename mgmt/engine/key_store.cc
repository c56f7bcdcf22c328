#include "mgmt/engine/key_store.h"

#include <set>

#include "dataplane/wire/key_file.h"

namespace gnomon {

void KeyStore::load() {
    if (path_.empty()) return;
    const auto tell = [this](KeyProblem problem) {
        problem.file = path_;
        services_.events.on_event(problem);
    };
    const auto text = services_.storage.read(path_);
    if (!text) {
        tell(KeyProblem{0, KeyProblem::Reason::FileUnreadable, {}, 0});
        return;
    }
    KeyFile file = parse_key_file(*text);
    for (const KeyFileDiagnostic& diagnostic : file.diagnostics) {
        if (diagnostic.severity != KeyFileDiagnostic::Severity::Error) continue;
        tell(KeyProblem{0, KeyProblem::Reason::BadLine, {}, static_cast<int>(diagnostic.line)});
    }
    std::set<std::uint32_t> seen;
    for (const SymmetricKey& key : file.keys) {
        if (!seen.insert(key.id()).second) {
            tell(KeyProblem{key.id(), KeyProblem::Reason::Duplicate, {}, 0});
        }
    }
    services_.events.on_event(KeysLoaded{static_cast<std::uint32_t>(file.keys.size())});
    table_ = KeyTable(std::move(file.keys));
    ++version_;
}

}  // namespace gnomon
